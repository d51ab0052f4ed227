#include "system_cluster.hpp"

#include "support/test_store.hpp"
#include <catch2/catch.hpp>

#include <cstdlib>

using namespace disttask::test;

namespace {

/// Returns the test server's address with this schema in it.
std::string dsnOf(const std::string& schema) {
  const std::string text = std::getenv("DISTTASK_TEST_DSN");
  const auto path = text.find('/', text.find("://") + 3);
  const auto query = text.find('?');
  return text.substr(0, std::min(path, query)) + '/' + schema + (query == std::string::npos ? "" : text.substr(query));
}

}  // namespace

TEST_CASE("The embedded example is a node in its own process and prints what its task counted") {
  const TestStore store(TestStore::Schema::kMissing);
  const auto result = runProgram({EMBEDDED_EXAMPLE, dsnOf(store.schema())});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.out == "9592 primes below 100000\n");
  CHECK(store.scalar("select count(*) from tidb_background_subtask where state='succeed'") == "100");
}
