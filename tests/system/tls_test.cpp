// Daemons that reach their store, and a target, by TLS with a verified server.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include "support/certificates.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A server that offers TLS on a port, and an account that gets in by nothing else.
class TlsCluster {
 public:
  TlsCluster() {
    cluster_.installSchema();
    cluster_.execute("create user tls@'127.0.0.1' identified by 'hunter2' require ssl");
    cluster_.execute("grant all on *.* to tls@'127.0.0.1'");
    std::filesystem::permissions(password_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }

  [[nodiscard]] SystemCluster& cluster() noexcept { return cluster_; }
  /// The lines of YAML of the server and the login, each after `indent`; `ca`: the authority that is trusted, none:
  /// off.
  [[nodiscard]] std::string access(const std::string& indent, const std::string& key, const std::string& ca) const {
    const auto tls = ca.empty() ? "{mode: off}" : fmt::format("{{mode: verify, ca: {}}}", certificates_.path(ca));
    return fmt::format(
        "{0}{1}: \"127.0.0.1:{2}\"\n{0}tls: {3}\n{0}user: tls\n{0}password_file: {4}\n",
        indent,
        key,
        port_,
        tls,
        password_.string()
    );
  }
  /// The settings of a node whose store is reached so.
  [[nodiscard]] std::string settings(const std::string& ca) const {
    auto text = readFile(cluster_.writeConfig({.id = "alpha"}));
    const auto plain = cluster_.serverYaml("  ", "endpoints");
    const auto at = text.find(plain);
    REQUIRE(at != std::string::npos);
    return text.replace(at, plain.size(), access("  ", "endpoints", ca));
  }
  [[nodiscard]] NodeProcess start(const std::string& ca) const {
    const auto file = cluster_.folder().write("tls.yaml", settings(ca));
    NodeProcess node;
    node.notify = std::make_unique<NotifySocket>(cluster_.folder() / "notify");
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", file.string()},
        std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
    );
    return node;
  }

 private:
  const Certificates certificates_;
  const std::uint16_t port_ = freePort();
  const PrivateServer server_{certificates_.serverOptions(port_)};
  SystemCluster cluster_{server_.socket()};
  const std::filesystem::path password_ = cluster_.folder().write("tls-password", "hunter2\n");
};

}  // namespace

TEST_CASE("A daemon reaches its store by TLS when the server's authority is the one of tls.ca") {
  TlsCluster tls;
  const auto node = tls.start("ca.pem");
  if (!node.waitReady()) FAIL(node.notify->all() << node.process->errors());
  CHECK(tls.cluster().submit("k", R"({"subtasks": 3})", {"--wait"}).exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("A daemon ends with 78 and one sentence when another authority signed its store's server, and 77 without TLS"
) {
  TlsCluster tls;
  {
    const auto node = tls.start("other-ca.pem");
    const auto end = node.process->wait();
    INFO(node.notify->all() << node.process->errors());
    REQUIRE(end);
    CHECK(end->exit_code == 78);
    CHECK_FALSE(node.notify->has("READY=1"));
    const auto said = node.process->errors();
    const auto last = said.substr(said.rfind("disttaskd: "));
    CHECK_THAT(last, Catch::Contains("TLS with a verified server is asked for") && Catch::Contains("127.0.0.1:"));
    CHECK(last.find('\n') == last.size() - 1);
    CHECK_THAT(said, !Catch::Contains("hunter2"));
  }
  // What tells that the account gets in by TLS alone, so that the case above has to be by TLS.
  const auto node = tls.start("");
  const auto end = node.process->wait();
  INFO(node.notify->all() << node.process->errors());
  REQUIRE(end);
  CHECK(end->exit_code == 77);
  // What the tool says of the same settings beforehand.
  const auto file = tls.cluster().folder().write("check.yaml", tls.settings("other-ca.pem"));
  const auto checked = runProgram({DISTTASKCTL, "config", "check", file.string(), "--online"});
  CHECK(checked.exit_code == 78);
  CHECK_THAT(checked.out, Catch::Contains("see the certificates"));
  const auto asked = runProgram({DISTTASKCTL, "--config", file.string(), "task", "ls"});
  CHECK(asked.exit_code == 78);
  CHECK_THAT(asked.err, Catch::Contains("TLS with a verified server is asked for"));
}

TEST_CASE("A target is reached by TLS where its connection says so, and a task whose target is another server's fails"
) {
  TlsCluster tls;
  auto& cluster = tls.cluster();
  cluster.execute("create table numbers (id int primary key, n int not null)");
  cluster.execute("insert into numbers values (1, 0), (2, 0), (3, 0)");
  const auto connection = [&](const std::string& name, const std::string& ca) {
    return "  " + name + ":\n" + tls.access("    ", "endpoint", ca) + "    types: [sql_batch]\n    schemas: [" +
           cluster.schema() + "]\n";
  };
  const NodeOptions options{
      .id = "alpha",
      .more = std::string("plugins:\n  list: [") + SQL_BATCH_PLUGIN + "]\nconnections:\n" +
              connection("target", "ca.pem") + connection("other", "other-ca.pem")};
  const auto config = cluster.writeConfig(options).string();
  const auto installed = cluster.ctl({"schema", "install", "--connection", "target", "--config", config});
  if (installed.exit_code != 0) FAIL(installed.err);
  const auto node = cluster.startReady(options);
  const auto submit = [&](const std::string& name) {
    const auto meta = fmt::format(
        R"({{"connection": "{}", "table": "{}.numbers", "statement": "update numbers set n = n + 1 where {{range}}"}})",
        name,
        cluster.schema()
    );
    const std::vector<std::string> words{"task", "submit", "--type", "sql_batch", "--key", name, "--meta", meta};
    if (cluster.ctl(words).exit_code != 0) FAIL("submit " << name);
  };
  submit("target");
  const auto done = cluster.ctl({"task", "wait", "target", "--timeout", "60s"});
  INFO(done.out << done.err << node.process->errors());
  CHECK(done.exit_code == 0);
  CHECK(cluster.scalar("select sum(n) from numbers") == "3");
  submit("other");
  CHECK(eventually([&] {
    return cluster.ctl({"task", "why", "other"}).out.find("TLS with a verified server is asked for") !=
           std::string::npos;
  }));
  CHECK(cluster.scalar("select sum(n) from numbers") == "3");
  CHECK(node.stop() == 0);
}
