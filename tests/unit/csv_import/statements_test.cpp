#include "statements.hpp"

#include "target_table.hpp"

#include <catch2/catch.hpp>

using namespace disttask::csv_import;

namespace {

TargetTable target() {
  TargetTable table{"s", "t`x", {}, "id", true, true};
  ColumnFacts facts;
  facts.name = "id";
  facts.data_type = facts.column_type = "bigint";
  table.columns.push_back(makeColumn(facts));
  facts.name = "na`me";
  facts.data_type = "varchar";
  facts.charset = "latin1";
  table.columns.push_back(makeColumn(facts));
  facts.name = "born";
  facts.data_type = "date";
  table.columns.push_back(makeColumn(facts));
  return table;
}

}  // namespace

TEST_CASE("Inserts bind every value and quote every name") {
  const std::string rows = "into `s`.`t``x` (`id`, `na``me`, `born`) values (?,?,?),(?,?,?)";
  CHECK(statements::insertRows(target(), OnDuplicate::kError, 2) == "insert " + rows);
  CHECK(statements::insertRows(target(), OnDuplicate::kReplace, 2) == "replace " + rows);
  CHECK(
      statements::insertRows(target(), OnDuplicate::kIgnore, 2) ==
      "insert " + rows + " on duplicate key update `id` = `id`"
  );
}

TEST_CASE("A load names its columns and takes bytes as they are") {
  CHECK(
      statements::loadRows(target()) ==
      "load data local infile 'disttask' into table `s`.`t``x` character set binary fields terminated by '\\t' "
      "enclosed by '' escaped by '\\\\' lines terminated by '\\n' (`id`, `na``me`, `born`)"
  );
}

TEST_CASE("The checksum takes integers and texts in canonical form and leaves other columns out") {
  VerifyMeta part;
  part.from = "5";
  CHECK(
      statements::checksum(target(), part) ==
      "select count(*), cast(coalesce(sum(cast(crc32(concat_ws(0x1f, ifnull((`id` + 0), 0x001d00), "
      "ifnull(convert(`na``me` using utf8mb4), 0x001d00))) as unsigned) * cast(crc32(concat_ws(0x1e, "
      "ifnull(convert(`na``me` using utf8mb4), 0x001d00), ifnull((`id` + 0), 0x001d00))) as unsigned)), 0) as char) "
      "from `s`.`t``x` where `id` >= 5"
  );
  part.from.reset();
  part.half = 1;
  CHECK_THAT(
      statements::checksum(target(), part),
      Catch::EndsWith(" from `s`.`t``x` where (crc32(ifnull((`id` + 0), 0x001d00)) & 1) = 1")
  );
  CHECK(target().columnsLeftOut() == std::vector<std::string>{"born"});
}
