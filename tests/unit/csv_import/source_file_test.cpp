#include "source_file.hpp"

#include "rejects_file.hpp"

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

TEST_CASE("A path outside is refused in the same words whether it exists or not") {
  const test::TempDir dir;
  fs::create_directories(dir / "in/sub");
  fs::create_directories(dir / "out");
  dir.write("out/there.csv", "x");
  fs::create_directory_symlink(dir / "out", dir / "in/link");
  fs::create_symlink(dir / "out/missing.csv", dir / "in/dangling.csv");
  fs::create_symlink("../out/missing/more.csv", dir / "in/relative.csv");
  const std::string in = (dir / "in").string();
  const auto key = Catch::EndsWith("is not below a directory of plugins.config.csv_import.allowed_dirs");
  for (const std::string name :
       {"/../out/there.csv",
        "/../out/missing.csv",
        "/../out/missing/more.csv",
        "/sub/../../out/missing.csv",
        "/link/there.csv",
        "/link/missing.csv",
        "/link/missing/more.csv",
        "/dangling.csv",
        "/relative.csv"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(SourceFile(in + name, {in}), key);
  }
  fs::create_symlink("nowhere.csv", dir / "in/inside.csv");
  for (const std::string name : {"/missing/more.csv", "/sub/../missing.csv", "/inside.csv", "/missing/"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(SourceFile(in + name, {in}), FileMissing);
  }
  // A directory that is not on this node may be on another one.
  CHECK_THROWS_AS(SourceFile(in + "/unmounted/f.csv", {in + "/unmounted"}), FileMissing);
}

TEST_CASE("A read error is a matter of this node") {
  // Reading this one at 0 fails with EIO.
  const SourceFile file("/proc/self/mem", {"/proc"});
  std::string buffer;
  CHECK_THROWS_AS(static_cast<void>(file.read(buffer, 0, 8)), FileMissing);
  CHECK_THROWS_WITH(
      static_cast<void>(file.read(buffer, 0, 8)), Catch::Contains("cannot be read on this node: Input/output error")
  );
}

TEST_CASE("Compressed files are told by their first bytes, and texts that begin alike are not") {
  const test::TempDir dir;
  const auto check = [&](const std::string& content) {
    SourceFile(dir.write("f", content), {dir.path()}).refuseCompressed();
  };
  CHECK_THROWS_WITH(check("BZh91AY&SY...."), Catch::Contains("is compressed (bzip2)"));
  CHECK_THROWS_WITH(check("BZh9\x17\x72\x45\x38\x50\x90"), Catch::Contains("is compressed (bzip2)"));
  CHECK_THROWS_WITH(check("\x1f\x8b\x08"), Catch::Contains("is compressed (gzip)"));
  for (const std::string text : {"BZh", "BZh,name\n1,a\n", "BZh9,name\n1,a\n", "BZh01AY&SY....", ""}) {
    CAPTURE(text);
    CHECK_NOTHROW(check(text));
  }
}

TEST_CASE("A rejects file that cannot be written is a matter of this node, and no link leads out of its directory") {
  const test::TempDir dir;
  const SourceFile file(dir.write("f.csv", "id\nx\n"), {dir.path()});
  const RowSource record{{3, 2}, 5, 0};
  RejectsFile nowhere(dir / "gone", file, "store", 7, 1);
  CHECK_THROWS_AS(nowhere.add(record, "bad"), FileMissing);

  fs::create_directories(dir / "rejects");
  RejectsFile rejects(dir / "rejects", file, "store", 7, 1);
  rejects.add(record, "bad");
  // Nobody can lay a link in its way: the name is another one each time.
  const auto present = [&] {
    const fs::directory_iterator it(dir / "rejects");
    return it->path().filename().string();
  };
  const std::string name = present();
  CHECK_THAT(name, Catch::EndsWith(".tmp"));
  rejects.publish();
  CHECK_THAT(present(), Catch::EndsWith(".rejects.csv"));
  fs::remove_all(dir / "rejects");
  fs::create_directories(dir / "rejects");
  RejectsFile again(dir / "rejects", file, "store", 7, 1);
  again.add(record, "bad");
  CHECK(present() != name);
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
