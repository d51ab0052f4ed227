#include "disttask/settings/password.hpp"

#include "disttask/base/error.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <fstream>

using namespace disttask;
using namespace disttask::settings;
using settings::test::ScratchFile;

TEST_CASE("readPassword drops one line break at the end and nothing else") {
  const ScratchFile file("  hush \n");
  CHECK(readPassword({.file = file.path(), .credential = "", .value = ""}, "") == "  hush ");
}

TEST_CASE("readPassword reads the file anew each time") {
  const ScratchFile file("one\n");
  const PasswordSource source{.file = file.path(), .credential = "", .value = ""};
  CHECK(readPassword(source, "") == "one");
  std::ofstream(file.path()) << "two\n";
  CHECK(readPassword(source, "") == "two");
}

TEST_CASE("readPassword refuses a file that everybody may read") {
  const ScratchFile file("hush\n", 0644);
  CHECK_THROWS_WITH(
      readPassword({.file = file.path(), .credential = "", .value = ""}, ""),
      Catch::Contains(file.path()) && Catch::Contains("may be read by everybody")
  );
}

TEST_CASE("readPassword names a missing file with the system's reason") {
  CHECK_THROWS_WITH(
      readPassword({.file = "/nowhere/pw", .credential = "", .value = ""}, ""),
      Catch::Contains("/nowhere/pw: No such file")
  );
}

TEST_CASE("readPassword finds a systemd credential in its directory") {
  const ScratchFile file("hush\n", 0400);
  CHECK(readPassword({.file = "", .credential = "file", .value = ""}, file.folder()) == "hush");
  CHECK_THROWS_WITH(
      readPassword({.file = "", .credential = "file", .value = ""}, ""), Catch::Contains("no systemd credentials")
  );
}

TEST_CASE("readPassword without a source is an empty password") {
  CHECK(readPassword({}, "").empty());
}
