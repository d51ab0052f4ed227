#include "source_file.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace disttask;
using namespace disttask::csv_import;
namespace fs = std::filesystem;

TEST_CASE("A file below an allowed directory is read, with links resolved") {
  const test::TempDir dir;
  fs::create_directories(dir / "in");
  const auto path = dir.write("in/f.csv", "hello");
  const std::vector<std::string> allowed = {dir / "in"};
  const SourceFile file(path, allowed);
  std::string buffer;
  CHECK(file.read(buffer, 0, 100) == "hello");
  CHECK(file.read(buffer, 3, 100) == "lo");
  CHECK(file.read(buffer, 5, 100).empty());
  CHECK(file.identity().size == 5);
  fs::create_symlink(path, dir / "in/link.csv");
  CHECK_NOTHROW(SourceFile(dir / "in/link.csv", allowed));
  fs::create_directory_symlink(dir / "in", dir / "other");
  CHECK_NOTHROW(SourceFile(path, {dir / "other"}));
}

TEST_CASE("A file outside is refused with the name of the key, however it is written") {
  const test::TempDir dir;
  fs::create_directories(dir / "in");
  fs::create_directories(dir / "in2");
  const auto outside = dir.write("secret.csv", "x");
  const auto beside = dir.write("in2/f.csv", "x");
  const std::vector<std::string> allowed = {dir / "in"};
  const auto key = Catch::Contains("is not below a directory of plugins.config.csv_import.allowed_dirs");
  CHECK_THROWS_WITH(SourceFile(outside, allowed), key);
  CHECK_THROWS_WITH(SourceFile(beside, allowed), key);
  CHECK_THROWS_WITH(SourceFile((dir / "in").string() + "/../secret.csv", allowed), key);
  fs::create_symlink(outside, dir / "in/link.csv");
  CHECK_THROWS_WITH(SourceFile(dir / "in/link.csv", allowed), key);
  CHECK_THROWS_WITH(SourceFile("/nowhere/at/all.csv", allowed), key);
  CHECK_THROWS_WITH(SourceFile(outside, {}), Catch::EndsWith("allowed_dirs, which is empty"));
  CHECK_THROWS_WITH(SourceFile(dir / "in", {dir.path()}), Catch::EndsWith("is not a regular file"));
}

TEST_CASE("A missing file is told apart: another node may have it") {
  const test::TempDir dir;
  CHECK_THROWS_AS(SourceFile(dir / "none.csv", {dir.path()}), FileMissing);
  CHECK_THROWS_WITH(
      SourceFile(dir / "none.csv", {dir.path()}),
      Catch::EndsWith("cannot be read on this node: No such file or directory")
  );
}

TEST_CASE("A file that was written to since planning is refused, with what is different") {
  const test::TempDir dir;
  const auto path = dir.write("f.csv", "hello");
  const FileIdentity planned = SourceFile(path, {dir.path()}).identity();
  dir.write("f.csv", "hello you");
  CHECK_THROWS_WITH(
      SourceFile(path, {dir.path()}).expect(planned), Catch::EndsWith("has changed since planning: 5 bytes then, 9 now")
  );
  dir.write("f.csv", "HELLO");
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5));
  CHECK_THROWS_WITH(
      SourceFile(path, {dir.path()}).expect(planned), Catch::Contains("it was written to (modification time ")
  );
}
