#include "archive_key.hpp"

#include <catch2/catch.hpp>

using disttask::sql_batch::plainCollation;
using disttask::sql_batch::plainType;

TEST_CASE("Types and collations of two servers are compared without what is only display") {
  CHECK(plainType("int(11)") == "int");
  CHECK(plainType("int") == "int");
  CHECK(plainType("bigint(20) unsigned zerofill") == "bigint unsigned");
  CHECK(plainType("tinyint(1)") == "tinyint");
  CHECK(plainType("year(4)") == "year");
  CHECK(plainType("datetime /* mariadb-5.3 */") == "datetime");
  CHECK(plainType("datetime(3)") == "datetime(3)");
  CHECK(plainType("decimal(10,2) unsigned") == "decimal(10,2) unsigned");
  CHECK(plainType("varchar(20)") == "varchar(20)");
  CHECK(plainCollation("utf8_bin") == "utf8mb3_bin");
  CHECK(plainCollation("utf8mb4_bin") == "utf8mb4_bin");
}
