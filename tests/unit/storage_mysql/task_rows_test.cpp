// What rows carry beside their columns' plain values.
#include "task_rows.hpp"

#include <catch2/catch.hpp>

using namespace disttask::storage::mysql;

TEST_CASE("Task types have the codes that DXF froze, others 0", "[storage][types]") {
  CHECK(typeCodeOf("Example") == 1);
  CHECK(typeCodeOf("ImportInto") == 2);
  CHECK(typeCodeOf("backfill") == 3);
  CHECK(typeCodeOf("Backfill") == 0);
  CHECK(typeCodeOf("csv_import") == 0);
  CHECK(typeNameOf(1) == "Example");
  CHECK(typeNameOf(2) == "ImportInto");
  CHECK(typeNameOf(3) == "backfill");
  CHECK(typeNameOf(0).empty());
  CHECK(typeNameOf(4).empty());
}
