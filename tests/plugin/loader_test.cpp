#include "fakes.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace disttask::test {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

/// Loads a fixture and returns the refusal; empty when it was accepted.
std::string refusalOf(LoaderBench& bench, const std::string& fixture) {
  auto loader = bench.makeLoader();
  const auto loaded = loader.load(bench.copyFixture(fixture));
  return loaded ? std::string() : loaded.error().message();
}

void setMode(const fs::path& path, mode_t mode) {
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("PluginLoader accepts a good plugin and says what it is", "[plugin][loader]") {
  LoaderBench bench;
  auto loader = bench.makeLoader();
  const auto loaded = loader.load(bench.copyFixture("good"));
  REQUIRE(loaded);
  const auto& plugin = loader.plugins().at(0);
  CHECK(plugin.origin == fs::canonical(bench.dir / "good.so").string());
  CHECK(plugin.name == "fixture");
  CHECK(plugin.build == "C11");
  CHECK(plugin.types == std::vector<std::string>{"fixture"});
  REQUIRE(bench.types.find("fixture"));
  CHECK(bench.types.find("fixture")->origin() == plugin.origin);
  CHECK(bench.types.find("fixture")->version() == "1");
}

TEST_CASE("PluginLoader refuses a plugin of another ABI with one exact sentence", "[plugin][loader]") {
  LoaderBench bench;
  const std::string of = "plugin " + (bench.dir / "").string();
  const auto sentence = [&](const std::string& name, const std::string& text) {
    CHECK(refusalOf(bench, name) == of + name + ".so is refused: " + text);
    CHECK(bench.types.all().empty());
  };
  sentence("wrong_magic", "magic is 0x12345678, 0x44545031 is needed: this is no disttask plugin");
  sentence(
      "newer_minor", "abi_minor is 2 (ABI 0.2), at most 1 is needed (this host speaks ABI 0.1): use a newer disttask"
  );
  sentence(
      "older_minor",
      "abi_minor is 0 (ABI 0.0), exactly 1 is needed: before 1.0 each minor may change the layout; build it anew"
  );
  sentence("other_major", "abi_major is 1 (ABI 1.1), 0 is needed (this host speaks ABI 0.1)");
  sentence("short_struct", "struct_size of the plugin descriptor is 64, at least 88 is needed");
  sentence("tiny_struct", "struct_size of the plugin descriptor is 8, at least 16 is needed");
  sentence("null_descriptor", "disttask_plugin_entry_v0 returned no descriptor");
  sentence("no_symbol", "it does not export disttask_plugin_entry_v0, so it is no disttask plugin of ABI 0");
}

TEST_CASE("PluginLoader refuses a plugin whose task types are not complete", "[plugin][loader]") {
  LoaderBench bench;
  const std::string of = "plugin " + (bench.dir / "").string();
  const auto sentence = [&](const std::string& name, const std::string& text) {
    CHECK(refusalOf(bench, name) == of + name + ".so is refused: " + text);
    CHECK(bench.types.all().empty());
  };
  sentence("no_types", "task_type_count is 0, 1 to 1000 is needed");
  sentence("short_type", "struct_size of the task type is 72, at least 128 is needed");
  sentence("empty_name", "the name of a task type is empty");
  sentence("null_entry", "task type 'fixture' has no plan: the entry is null");
  sentence("bad_options", "task type 'fixture': parallel_subtasks is 8, at most max_parallel_subtasks (4) is needed");
  sentence("duplicate_in_plugin", "it offers task type 'twin' twice");
}

TEST_CASE("PluginLoader refuses a plugin that refuses itself", "[plugin][loader]") {
  LoaderBench bench;
  CHECK_THAT(
      refusalOf(bench, "init_fails"), Contains("init_fails.so is refused: its init failed: the licence file is missing")
  );
  CHECK_THAT(
      refusalOf(bench, "configure_refuses"),
      Contains("configure_refuses.so is refused: task type 'fixture' refuses its configuration "
               "(plugins.config.fixture): color: blue is needed, "
               "found {}")
  );
  CHECK(bench.types.all().empty());
}

TEST_CASE("PluginLoader hands each task type its configuration", "[plugin][loader]") {
  LoaderBench bench;
  bench.settings.config["fixture"] = R"({"color":"blue"})";
  CHECK(refusalOf(bench, "configure_refuses").empty());
  CHECK(bench.types.find("fixture"));
}

TEST_CASE("PluginLoader refuses a task type that another plugin offers, and names both", "[plugin][loader]") {
  LoaderBench bench;
  auto loader = bench.makeLoader();
  const std::string good = bench.copyFixture("good");
  const std::string same = bench.copyFixture("same_type");
  REQUIRE(loader.load(good));
  const auto second = loader.load(same);
  REQUIRE_FALSE(second);
  CHECK(
      second.error().message() ==
      "plugin " + same + " is refused: task type 'fixture' of " + same + " is already offered by " + good
  );
  CHECK_FALSE(bench.types.find("same_type"));  // none of its types came in
  CHECK(loader.plugins().size() == 1);
}

TEST_CASE("PluginLoader refuses a file that others could change", "[plugin][loader]") {
  LoaderBench bench;
  auto loader = bench.makeLoader();
  const std::string file = bench.copyFixture("good");
  SECTION("writable by its group") {
    setMode(file, 0664);
    CHECK(
        loader.load(file).error().message() ==
        "plugin " + file + " is refused: file " + file +
            " has mode 0664, one that group and others cannot write to is needed (chmod go-w)"
    );
  }
  SECTION("writable by all") {
    setMode(file, 0666);
    CHECK_THAT(loader.load(file).error().message(), Contains("has mode 0666"));
  }
  SECTION("in a folder that others can write to") {
    setMode(bench.dir.path(), 0777);
    CHECK_THAT(loader.load(file).error().message(), Contains("folder " + bench.dir.path().string() + " has mode 0777"));
  }
  SECTION("below a folder that others can write to") {
    const fs::path inner = bench.dir / "inner";
    fs::create_directory(inner);
    fs::rename(file, inner / "good.so");
    setMode(bench.dir.path(), 0775);
    CHECK_THAT(
        loader.load((inner / "good.so").string()).error().message(),
        Contains("folder " + bench.dir.path().string() + " has mode 0775")
    );
  }
  SECTION("but takes it from a sticky folder") {
    setMode(bench.dir.path(), 01777);
    CHECK(loader.load(file));
  }
  SECTION("behind a symbolic link, by the file that it points to") {
    setMode(file, 0664);
    fs::create_symlink(file, bench.dir / "link.so");
    CHECK_THAT(
        loader.load((bench.dir / "link.so").string()).error().message(), Contains("file " + file + " has mode 0664")
    );
  }
  setMode(bench.dir.path(), 0700);
}

TEST_CASE("PluginLoader refuses a file of another user", "[plugin][loader]") {
  if (::geteuid() != 0) {
    WARN("only root can give a file away: nothing was checked");
    return;
  }
  LoaderBench bench;
  const std::string file = bench.copyFixture("good");
  REQUIRE(::chown(file.c_str(), 12345, static_cast<gid_t>(-1)) == 0);
  CHECK(
      bench.makeLoader().load(file).error().message() ==
      "plugin " + file + " is refused: file " + file + " belongs to uid 12345, root is needed"
  );
  bench.settings.owner = 12345;
  CHECK(bench.makeLoader().load(file));
}

TEST_CASE("PluginLoader loads each file once, whatever its name", "[plugin][loader]") {
  LoaderBench bench;
  auto loader = bench.makeLoader();
  const std::string file = bench.copyFixture("good");
  REQUIRE(loader.load(file));
  const std::string other = (bench.dir / "other.so").string();
  SECTION("a hard link") {
    fs::create_hard_link(file, other);
  }
  SECTION("a symbolic link") {
    fs::create_symlink(file, other);
  }
  CHECK(
      loader.load(other).error().message() ==
      "plugin " + other + " is refused: it is the same file as " + file + ", which was loaded before"
  );
}

TEST_CASE("PluginLoader refuses what is no shared object", "[plugin][loader]") {
  LoaderBench bench;
  auto loader = bench.makeLoader();
  const std::string missing = (bench.dir / "missing.so").string();
  CHECK(loader.load(missing).error().message() == "plugin " + missing + " cannot be found: No such file or directory");
  const std::string text = bench.dir.write("text.so", "this is not ELF\n").string();
  setMode(text, 0644);
  CHECK_THAT(
      loader.load(text).error().message(),
      Contains("plugin " + text + " cannot be loaded: the file has 16 bytes, at least 64 are needed")
  );
  fs::create_directory(bench.dir / "folder.so");
  const std::string folder = (bench.dir / "folder.so").string();
  CHECK(loader.load(folder).error().message() == "plugin " + folder + " is no regular file; a shared object is needed");
}

TEST_CASE(
    "PluginLoader refuses each damaged file of its folder with one sentence and loads the good one", "[plugin][loader]"
) {
  LoaderBench bench;
  bench.settings.dir = bench.dir.path().string();
  const auto good = readFile(bench.copyFixture("good"));
  const auto put = [&](const std::string& name, std::string bytes) {
    const auto file = bench.dir.write(name, bytes);
    setMode(file, 0644);
    return file.string();
  };
  auto other_machine = good;
  other_machine.at(18) = static_cast<char>(0xF3);  // e_machine: RISC-V
  other_machine.at(19) = 0;
  auto other_class = good;
  other_class.at(4) = 1;  // 32 bits
  auto object = good;
  object.at(16) = 1;  // e_type
  auto no_segments = good;
  no_segments.at(56) = no_segments.at(57) = 0;  // e_phnum
  const std::string in_part = "it was copied in part, or is damaged";
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {put("a_empty.so", ""), "the file has 0 bytes, at least 64 are needed: " + in_part},
      {put("b_head_only.so", good.substr(0, 64)),
       "the file has 64 bytes, its table of segments does not lie within: " + in_part},
      {put("c_cut.so", good.substr(0, 4096)), "the file has 4096 bytes, a segment of "},
      {put("d_other_machine.so", other_machine), "its ELF machine is 243, "},
      {put("e_other_class.so", other_class), "its ELF class is 1, 2 is needed: it was built for another word size"},
      {put("f_object.so", object), "its ELF type is 1, 3 (a shared object) is needed"},
      {put("g_zero_bytes.so", std::string(4096, '\0')), "it does not begin as an ELF file; a shared object is needed"},
      {put("g_zero_segments.so", no_segments),
       "its ELF header names 0 segments of 56 bytes, 1 to 1024 of 56 are needed"},
  };
  fs::create_directory(bench.dir / "h_folder.so");
  fs::create_symlink(bench.dir / "nowhere", bench.dir / "i_link.so");
  const auto errors = bench.makeLoader().loadAll();
  REQUIRE(errors.size() == damaged.size() + 2);
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    const auto& [file, why] = damaged[i];
    const auto message = errors[i].message();
    INFO(message);
    CHECK_THAT(message, Catch::StartsWith("plugin " + file + " cannot be loaded: ") && Contains(why));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(errors[i].code() == ErrorCode::kInvalidConfig);
  }
  CHECK_THAT(errors[damaged.size()].message(), Contains("h_folder.so is no regular file; a shared object is needed"));
  CHECK_THAT(errors.back().message(), Contains("i_link.so cannot be found: No such file or directory"));
  CHECK(bench.types.find("fixture"));
}

TEST_CASE("PluginLoader loads all of its folder, or only what the list names", "[plugin][loader]") {
  LoaderBench bench;
  bench.settings.dir = bench.dir.path().string();
  const std::string good = bench.copyFixture("good");
  const std::string c_only = bench.copyFixture("wrong_magic");
  static_cast<void>(bench.dir.write("readme.txt", "not a plugin"));
  SECTION("an empty list: each *.so, one error for each that is refused") {
    const auto errors = bench.makeLoader().loadAll();
    REQUIRE(errors.size() == 1);
    CHECK_THAT(errors[0].message(), Contains("wrong_magic.so"));
    CHECK(bench.types.find("fixture"));
  }
  SECTION("a name of the list is a file of the folder") {
    bench.settings.list = {GENERATE("good", "good.so")};
    CHECK(bench.makeLoader().loadAll().empty());
    CHECK(bench.types.find("fixture"));
  }
  SECTION("a path of the list stands for itself") {
    bench.settings.dir = "/nowhere";
    bench.settings.list = {good};
    CHECK(bench.makeLoader().loadAll().empty());
  }
  SECTION("a name that is not there") {
    bench.settings.list = {"absent"};
    const auto errors = bench.makeLoader().loadAll();
    REQUIRE(errors.size() == 1);
    CHECK(
        errors[0].message() == "plugin " + bench.settings.dir + "/absent.so cannot be found: No such file or directory"
    );
  }
  SECTION("a folder that is not there") {
    bench.settings.dir = "/nowhere";
    const auto errors = bench.makeLoader().loadAll();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].message() == "plugin folder /nowhere cannot be read: No such file or directory");
  }
}

TEST_CASE("PluginLoader loads what is new later, and what it knows never again", "[plugin][loader]") {
  LoaderBench bench;
  bench.settings.dir = (bench.dir / "").string();
  auto loader = bench.makeLoader();
  CHECK(loader.loadAll().empty());
  CHECK(loader.loadNew({}, {}).loaded.empty());
  const auto good = bench.copyFixture("good");
  const auto refused = bench.copyFixture("bad_options");
  const auto first = loader.loadNew({}, {});
  REQUIRE(first.loaded.size() == 1);
  CHECK(first.loaded[0].types == std::vector<std::string>{"fixture"});
  REQUIRE(first.refused.size() == 1);
  CHECK_THAT(first.refused[0].message(), Contains("bad_options.so is refused"));
  REQUIRE(bench.types.find("fixture"));

  const auto second = loader.loadNew({}, {});
  CHECK(second.loaded.empty());
  CHECK(second.refused.empty());
  const auto stays = "plugin " + refused + " was refused before, and is tried again after a restart only";
  CHECK(second.need_restart == std::vector<std::string>{stays});

  // Another file under the same name: the library that is loaded stays.
  const auto type = bench.types.find("fixture");
  fs::copy_file(good, good + ".new");
  fs::rename(good + ".new", good);
  const auto third = loader.loadNew({}, {});
  CHECK(third.loaded.empty());
  CHECK(third.need_restart == std::vector<std::string>{stays, "plugin " + good + " was replaced since it was loaded"});
  CHECK(bench.types.find("fixture") == type);
  fs::remove(good);
  fs::remove(refused);
  CHECK(loader.loadNew({}, {}).need_restart.empty());

  const auto missing = loader.loadNew({"nowhere"}, {});
  REQUIRE(missing.refused.size() == 1);
  CHECK_THAT(missing.refused[0].message(), Contains("nowhere.so"));
}

}  // namespace disttask::test
