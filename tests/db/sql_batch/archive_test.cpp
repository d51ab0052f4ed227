// Rows go to the archive first; a crash in between neither loses nor doubles one.
#include "archive_file.hpp"
#include "batch_fixture.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

using namespace disttask;
using namespace std::chrono_literals;
using test::BatchFixture;
using test::sumOf;

namespace {

/// An archive on the same server, on another one, or in files.
std::string archiveAt(const BatchFixture& f, int place) {
  if (place == 2) return R"({"file": ")" + (f.dir / "archive/t").string() + "\"}";
  return std::string("{") + (place == 1 ? R"("connection": "other", )" : "") + R"("table": ")" + f.store.schema() +
         ".gone\"}";
}

struct Old : BatchFixture {
  Old() {
    execute(
        "create table t (id int primary key, f float, at_time timestamp(3) null, body varchar(80), raw varbinary(20), "
        "n int)"
    );
    for (int i = 1; i <= 600; ++i) {
      const std::string number = std::to_string(i);
      execute(
          "insert into t values (" + number + ", " + number + " / 7, '2026-01-01' + interval " + number +
          " second, concat('say \"', char(10), ' ü,', " + number + "), unhex('00ff2c22'), nullif(" + number +
          " % 5, 0))"
      );
    }
    execute("create table before_it like t");
    execute("insert into before_it select * from t");
  }
  ~Old() { Failpoints::disarmAll(); }

  [[nodiscard]] std::string archiveMeta(const std::string& archive) const {
    return meta(
        "delete from t where {range} and id % 2 = 0",
        "t",
        R"("chunk_rows": 50, "chunk_time": "0s", "archive": )" + archive
    );
  }
  /// Ends every third run at a failpoint, until the subtask is done.
  Json workWithCrashes(std::int64_t task, const std::string& task_meta, const std::string& where) {
    const auto metas = plan(task, task_meta);
    REQUIRE(metas.size() == 1);
    int passes = 0;
    Failpoints::arm(where, [&passes] {
      if (++passes % 3 == 0) throw sdk::Failure("this run ends here");
    });
    for (int runs = 0;; ++runs) {
      REQUIRE(runs < 20);
      try {
        return run(*step(task, task_meta), 1, metas[0]);
      } catch (const sdk::Failure& failure) {
        if (std::string(failure.what()).find("this run ends here") == std::string::npos) throw;
      }
    }
  }
  [[nodiscard]] std::string fileMeta() const {
    return archiveMeta(R"({"file": ")" + (dir / "archive/t").string() + R"("})");
  }
  void checkMoved(const std::string& table) const {
    CHECK(scalar("select concat(count(*), ' ', sum(id % 2)) from t") == "300 300");
    CHECK(scalar("select count(*) from " + table) == "300");
    // Every value as it was.
    CHECK(
        scalar(
            "select count(*) from " + table +
            " a join before_it b on a.id = b.id and a.f <=> b.f and a.at_time <=> b.at_time "
            "and a.body <=> b.body and a.raw <=> b.raw and a.n <=> b.n where b.id % 2 = 0"
        ) == "300"
    );
  }
};

}  // namespace

TEST_CASE("Rows of a delete are moved to a table of the same server in the same transaction") {
  Old f;
  f.execute("create table gone like t");
  const auto where =
      GENERATE(as<std::string>(), "sql_batch.chunk_taken", "sql_batch.before_commit", "sql_batch.after_commit");
  const auto meta = f.archiveMeta(R"({"table": ")" + f.store.schema() + R"(.gone"})");
  CHECK(f.workWithCrashes(1, meta, where).find("changed")->asInt() == 300);
  f.checkMoved("gone");
}

TEST_CASE("Rows of a delete are moved to another server, and a crash after the copy does not double them") {
  Old f;
  f.execute("create table gone like t");
  const auto where =
      GENERATE(as<std::string>(), "sql_batch.archived", "sql_batch.before_commit", "sql_batch.after_commit");
  const auto meta = f.archiveMeta(R"({"connection": "other", "table": ")" + f.store.schema() + R"(.gone"})");
  CHECK(f.workWithCrashes(1, meta, where).find("changed")->asInt() == 300);
  f.checkMoved("gone");
}

TEST_CASE("A row whose number is 0 keeps it in an archive that would number it anew") {
  BatchFixture f;
  const std::string schema = f.store.schema();
  f.execute("create table t (id int auto_increment primary key, n int)");
  f.execute("insert into t values (5, 5), (7, 7)");
  f.execute("update t set id = 0 where id = 5");
  f.execute("create table gone like t");
  const std::string where = GENERATE("", R"("connection": "other", )");
  const auto meta =
      f.meta("delete from t where {range}", "t", R"("archive": {)" + where + R"("table": ")" + schema + ".gone\"}");
  CHECK(f.failure(1, meta).empty());
  CHECK(f.scalar("select group_concat(id, ' ', n order by id) from gone") == "0 5,7 7");
  CHECK(f.scalar("select count(*) from t") == "0");
}

namespace {

/// Three rows, by key: dates of zeros, dates with zeros in them, other ones.
void makeZeroDates(BatchFixture& f, const std::string& key) {
  f.execute(
      "create table t (id int not null, d date not null, w datetime(3) not null, s timestamp not null, n int, primary "
      "key (" +
      key + "))"
  );
  f.execute("create table gone like t");
  f.execute("create table before_it like t");
  const auto session = f.store.connect();
  session->execute("set session sql_mode = ''");
  for (const char* table : {"t", "before_it"}) {
    session->execute(
        std::string("insert into ") + table +
        " values (1, '0000-00-00', '0000-00-00', '0000-00-00', 1), (2, '2026-00-10', '2026-01-00', '2026-01-01 "
        "10:00:00', 2), (3, '2026-01-01', '2026-01-01', '2026-01-01', 3)"
    );
  }
}

}  // namespace

TEST_CASE("Dates of zeros go to archives as they are") {
  BatchFixture f;
  makeZeroDates(f, "id");
  const int place = GENERATE(0, 1, 2);
  CHECK(f.failure(1, f.meta("delete from t where {range}", "t", R"("archive": )" + archiveAt(f, place))) == "");
  CHECK(f.scalar("select count(*) from t") == "0");
  if (place == 2) return;
  CHECK(f.scalar("select count(*) from gone join before_it using (id, d, w, s, n)") == "3");
}

TEST_CASE("Dates of zeros bound chunks on a MariaDB") {
  BatchFixture f;
  if (f.scalar("select version() like '%MariaDB%'") != "1") return;  // others refuse to compare with them, strictly
  makeZeroDates(f, "d");
  const std::string chunks = R"("chunk_rows": 1, "chunk_time": "0s", "subtask_rows": 2)";
  CHECK(f.failure(1, f.meta("update t set n = n + 10 where {range}", "t", chunks)).empty());
  CHECK(f.scalar("select group_concat(n order by n) from t") == "11,12,13");
}

TEST_CASE("A run that comes back late does not write its older copy over a newer one") {
  Old f;
  if (f.store.isTiDb()) return;  // does not show transactions so
  f.execute("create table gone like t");
  const auto meta = f.archiveMeta(archiveAt(f, 1));
  const auto metas = f.plan(1, meta);
  int passes = 0;
  Failpoints::arm("sql_batch.archive_read", [&] {
    if (++passes != 1) return;
    // What servers do to a session that is idle within its transaction; then another run moves a row.
    const auto connection = f.store.connect();
    const std::string its =
        "from information_schema.innodb_trx join information_schema.processlist on id = "
        "trx_mysql_thread_id where db = '" +
        f.store.schema() + "'";
    REQUIRE(test::eventually([&] { return f.scalar("select count(*) " + its) == "1"; }));
    connection->execute("kill " + f.scalar("select id " + its));
    REQUIRE(test::eventually([&] { return f.scalar("select count(*) " + its) == "0"; }));
    connection->execute("update t set body = 'newer' where id = 2");
    connection->execute("insert into gone select * from t where id = 2");
    connection->execute("delete from t where id = 2");
  });
  CHECK(f.run(*f.step(1, meta), 1, metas.at(0)).find("changed")->asInt() == 299);
  CHECK(f.scalar("select body from gone where id = 2") == "newer");
  CHECK(f.scalar("select count(*) from gone") == "300");
}

TEST_CASE("Columns that cannot be carried over are refused") {
  BatchFixture f;
  const std::string schema = f.store.schema();
  if (f.store.isTiDb()) return;  // has no such types
  for (const char* type :
       {"bit(4)",
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection"}) {
    INFO(type);
    f.execute("drop table if exists t, gone");
    f.execute(std::string("create table t (id int primary key, g ") + type + ")");
    f.execute("create table gone like t");
    f.execute("insert into t (id) values (1)");
    for (const int place : {1, 2}) {
      CHECK_THAT(
          f.failure(1, f.meta("delete from t where {range}", "t", R"("archive": )" + archiveAt(f, place))),
          Catch::StartsWith("archive: column 'g' is of type ") && Catch::EndsWith(", which cannot be carried over")
      );
    }
  }
}

TEST_CASE("Rows of a delete go to a file, and what a crash left behind its valid length is cut off") {
  Old f;
  const auto where =
      GENERATE(as<std::string>(), "sql_batch.archived", "sql_batch.before_commit", "sql_batch.after_commit");
  const Json result = f.workWithCrashes(1, f.fileMeta(), where);
  REQUIRE(result.find("files")->asObject().size() == 1);
  const auto& [path, length] = *result.find("files")->asObject().begin();
  // Ids of tasks begin anew in each store.
  CHECK_THAT(path, Catch::Contains("/archive/t." + f.store.schema() + ".task1.chunk1."));
  CHECK(static_cast<std::int64_t>(std::filesystem::file_size(path)) == length.asInt());
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // The float that is next to 0.2857 is 0.28569… where a server gives all its digits.
  CHECK_THAT(text, Catch::StartsWith("\"id\",\"f\",\"at_time\",\"body\",\"raw\",\"n\"\n\"2\",\"0.285"));
  CHECK_THAT(text, Catch::Contains("\"say \"\"\n ü,10\",\"" + std::string("\0\xff,", 3) + "\"\"\",\n"));
  // One record for each row: 300, each holds one line break.
  CHECK(std::count(text.begin(), text.end(), '\n') == 601);
  CHECK(f.scalar("select concat(count(*), ' ', sum(id % 2)) from t") == "300 300");
}

TEST_CASE("A run that ends between its first rows in the file and their delete leaves a file that the next one takes") {
  Old f;
  const auto metas = f.plan(1, f.fileMeta());
  Failpoints::arm("sql_batch.archived", [] { throw sdk::Failure("this run ends here"); });
  CHECK_THROWS_AS(f.run(*f.step(1, f.fileMeta()), 1, metas.at(0)), sdk::Failure);
  Failpoints::disarmAll();
  const Json result = f.run(*f.step(1, f.fileMeta()), 1, metas.at(0));
  REQUIRE(result.find("files")->asObject().size() == 1);
  const auto& [path, length] = *result.find("files")->asObject().begin();
  CHECK(static_cast<std::int64_t>(std::filesystem::file_size(path)) == length.asInt());
  CHECK(result.find("changed")->asInt() == 300);
}

TEST_CASE("A file that the ledger does not know is left as it is, unless it is empty") {
  Old f;
  const auto path = sql_batch::archivePath((f.dir / "archive/t").string(), f.store.schema(), 1, 1);
  const auto content = [&] {
    std::ifstream file(path);
    return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  };
  std::ofstream(path) << "rows of long ago";
  CHECK(
      f.failure(1, f.fileMeta()) ==
      "archive.file: '" + path +
          "' is there already, and the ledger does not know it; move it away (done: 0 of 1 "
          "subtasks, 0 of 600 rows, 0 changed)"
  );
  CHECK(content() == "rows of long ago");
  CHECK(f.scalar("select count(*) from t") == "600");
  std::filesystem::resize_file(path, 0);
  CHECK(f.failure(1, f.fileMeta()).empty());
  CHECK_THAT(content(), Catch::StartsWith("\"id\",\"f\","));
}

TEST_CASE("A file that another run on the host still has is waited for") {
  Old f;
  const auto metas = f.plan(1, f.fileMeta());
  const auto path = sql_batch::archivePath((f.dir / "archive/t").string(), f.store.schema(), 1, 1);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  REQUIRE(file >= 0);
  REQUIRE(::flock(file, LOCK_EX | LOCK_NB) == 0);
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
  threads.spawn("run", [&] {
    try {
      f.run(*f.step(1, f.fileMeta()), 1, metas.at(0));
      ended.send("done");
    } catch (const std::exception& exception) {
      ended.send(exception.what());
    }
  });
  CHECK_FALSE(ended.wait(1s));
  CHECK(f.scalar("select count(*) from t") == "600");
  ::close(file);
  CHECK(ended.wait(30s) == "done");
  CHECK(f.scalar("select count(*) from t") == "300");
}

TEST_CASE("An archive that cannot take the rows, or not surely once, is refused before a row is touched") {
  Old f;
  const std::string schema = f.store.schema();
  const auto refusal = [&](const std::string& archive) { return f.failure(1, f.archiveMeta(archive)); };
  const std::string other = R"({"connection": "other", "table": ")" + schema + ".gone\"}";
  CHECK(refusal(other) == "archive.table: there is no table " + schema + ".gone");
  f.execute("create table gone (id int, f float)");
  CHECK(refusal(other) == "archive.table: " + schema + ".gone has no column 'at_time'");
  f.execute("drop table gone");
  const std::string columns = "f float, at_time timestamp(3) null, body varchar(80), raw varbinary(20), n int";
  f.execute("create table gone (id int, " + columns + ")");
  CHECK(
      refusal(other) ==
      "archive.table: " + schema + ".gone needs a primary or unique key (id), so that no row is in it twice"
  );
  f.execute("drop table gone");
  f.execute("create table gone (id int primary key, " + columns + ", unique key u (n, raw))");
  CHECK_THAT(refusal(other), Catch::Contains("has another unique key, 'u'"));
  CHECK_THAT(
      refusal(R"({"file": "/tmp/somewhere"})"),
      Catch::Contains("is not below one of plugins.config.sql_batch.archive_dirs")
  );
  CHECK_THAT(
      refusal(R"({"table": "mysql.gone"})"),
      Catch::StartsWith("archive.table: connection 'main' does not allow schema 'mysql'")
  );
  CHECK(f.scalar("select count(*) from t") == "600");
}

TEST_CASE("An archive on another server whose key compares otherwise is refused: rows would replace each other there") {
  BatchFixture f;
  const std::string schema = f.store.schema();
  f.execute(
      "create table t (k varchar(20) collate utf8mb4_bin not null, d datetime(3) not null, n int, "
      "primary key (k, d)) default charset utf8mb4"
  );
  f.execute("insert into t values ('a1', '2026-01-01', 1), ('A1', '2026-01-01', 2)");
  const auto meta = f.meta(
      "delete from t where {range}", "t", R"("archive": {"connection": "other", "table": ")" + schema + ".gone\"}"
  );
  const auto failure = [&](const std::string& columns, const std::string& key = "k, d") {
    f.execute("drop table if exists gone");
    f.execute("create table gone (" + columns + ", n int, primary key (" + key + ")) default charset utf8mb4");
    return f.failure(1, meta);
  };
  CHECK(
      failure("k varchar(20) collate utf8mb4_general_ci not null, d datetime(3) not null") ==
      "archive.table: key column 'k' of " + schema +
          ".gone is varchar(20) collate utf8mb4_general_ci, and that of the table is varchar(20) collate utf8mb4_bin; "
          "rows with different keys here could replace each other there"
  );
  CHECK_THAT(
      failure("k varchar(20) collate utf8mb4_bin not null, d datetime not null"),
      Catch::Contains("key column 'd' of " + schema + ".gone is datetime, and that of the table is datetime(3); ")
  );
  CHECK_THAT(
      failure("k varchar(20) collate utf8mb4_bin not null, d datetime(3) not null", "k(1), d"),
      Catch::Contains("the key 'PRIMARY' of " + schema + ".gone holds only the beginning of column 'k'; ")
  );
  CHECK(f.scalar("select count(*) from t") == "2");
  CHECK(failure("k varchar(20) collate utf8mb4_bin not null, d datetime(3) not null").empty());
  CHECK(f.scalar("select concat(count(*), ' ', sum(n)) from gone") == "2 3");
}
