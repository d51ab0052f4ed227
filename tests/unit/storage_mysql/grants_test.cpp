// The page beside a live TiDB shows the grants that the program prints, and no others.
#include "disttask/storage/mysql/grants.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

using namespace disttask::storage::mysql;

namespace {

/// The lines of a page that begin with "grant ".
std::vector<std::string> grantsOf(const std::string& page) {
  std::ifstream file(page);
  std::vector<std::string> grants;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("grant ", 0) == 0) grants.push_back(line);
  }
  return grants;
}

std::vector<std::string> rightsOnSide(const Schemas& schemas) {
  std::vector<std::string> tables;
  for (const auto& entry : rightsOf(Role::kDaemon, schemas)) {
    if (entry.schema != "mysql") tables.push_back(entry.schema + "." + std::string(entry.table));
  }
  return tables;
}

}  // namespace

TEST_CASE("The page on compatibility shows the grants of a daemon beside a live TiDB as they are printed") {
  auto printed = grantStatements(Role::kDaemon, {"mysql", ""}, {"disttask_daemon", "%"});
  for (auto& statement : printed) statement += ";";
  CHECK(grantsOf(COMPATIBILITY_PAGE) == printed);
}

TEST_CASE("Beside a live TiDB rights are granted in both schemas, and none to change a task") {
  const auto tables = rightsOnSide({"mysql", "side"});
  CHECK(tables.size() == 8);
  CHECK(std::all_of(tables.begin(), tables.end(), [](const auto& table) {
    return table.rfind("side.disttask_", 0) == 0;
  }));
  for (const auto role : kRoles) {
    for (const auto& entry : rightsOf(role, {"mysql", ""})) {
      if (entry.table == "tidb_global_task") CHECK(entry.rights == "select");
    }
  }
  for (const auto& entry : rightsOf(Role::kDaemon, {"own", ""})) CHECK(entry.schema == "own");
  CHECK(
      grantStatements(Role::kDaemon, {"MySQL", "side"}, {"d", "%"}) ==
      grantStatements(Role::kDaemon, {"mysql", "side"}, {"d", "%"})
  );
}
