#include "args/config.hpp"

#include "args.hpp"
#include "disttask/settings/json_schema.hpp"
#include "run.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <filesystem>
#include <sstream>

using namespace disttask;
using namespace disttask::ctl;
using Catch::Matchers::Contains;

namespace {

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Ran runCtl(const std::vector<std::string>& words) {
  const auto parsed = parseArguments(words);
  if (const auto* end = std::get_if<EarlyEnd>(&parsed)) FAIL(end->text);
  std::ostringstream out;
  std::ostringstream err;
  Ran ran;
  ran.exit_code = run(std::get<Arguments>(parsed), out, err);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

/// A main file and one in conf.d.
struct Files {
  test::TempDir folder;
  std::string main = folder.write("d.yaml", "node: {id: n}\nstore:\n  socket: /nowhere.sock\n").string();
  std::string drop_in;
  Files() {
    std::filesystem::create_directory(folder / "conf.d");
    drop_in = folder.write("conf.d/a.yaml", "node: {slots: 7}\nplugins: {config: {t: {token: hush, x: 1}}}\n").string();
  }
};

}  // namespace

TEST_CASE("config check says that all files are right, and ends with 0") {
  const Files files;
  const auto ran = runCtl({"config", "check", files.main});
  CHECK(ran.exit_code == 0);
  CHECK(ran.out == files.main + ": ok\n" + files.drop_in + ": ok\n");
  CHECK(ran.err.empty());
  const auto json = Json::parse(runCtl({"config", "check", "--config", files.main, "-o", "json"}).out);
  CHECK(json.find("ok")->asBool());
  CHECK(json.find("files")->asArray().size() == 2);
  CHECK(json.find("problems")->asArray().empty());
}

TEST_CASE("config check lists all that is wrong with file, line and column, and ends with 78") {
  const Files files;
  static_cast<void>(files.folder.write("conf.d/b.yaml", "nod: {}\nnode: {slots: many}\n"));
  const auto file = (files.folder / "conf.d/b.yaml").string();
  const auto ran = runCtl({"-q", "config", "check", files.main});
  CHECK(ran.exit_code == 78);
  CHECK(ran.out.empty());
  CHECK(
      ran.err == file + ":1:1: nod: unknown key, did you mean 'node'?\n" + file +
                     ":2:15: node.slots: value 'many', expected a whole number from 1 to 4096\n"
  );
  const auto json = Json::parse(runCtl({"config", "check", files.main, "-o", "json"}).out);
  CHECK_FALSE(json.find("ok")->asBool());
  const auto& problem = json.find("problems")->asArray().at(1);
  CHECK(problem.find("file")->asString() == file);
  CHECK(problem.find("line")->asInt() == 2);
  CHECK(problem.find("column")->asInt() == 15);
  CHECK(problem.find("path")->asString() == "node.slots");
  CHECK(runCtl({"config", "check", "/nowhere.yaml"}).exit_code == 78);
  CHECK(runCtl({"config", "show", files.main}).exit_code == 78);
}

TEST_CASE("config show gives each value that a file sets with its place, with --defaults all, and no secret") {
  const Files files;
  const auto ran = runCtl({"config", "show", files.main});
  CHECK(ran.exit_code == 0);
  CHECK_THAT(ran.out, Contains("node.slots") && Contains(files.drop_in + ":1") && Contains(files.main + ":3"));
  CHECK_THAT(ran.out, Contains("(not shown)") && !Contains("hush") && !Contains("node.lease"));
  const auto list = Json::parse(runCtl({"config", "show", files.main, "--defaults", "-o", "json"}).out).asArray();
  const auto find = [&](const std::string& key) {
    for (const auto& item : list) {
      if (item.find("key")->asString() == key) return item;
    }
    FAIL("no " << key);
    return Json();
  };
  CHECK(find("node.slots").find("value")->asInt() == 7);
  CHECK(find("node.slots").find("origin")->asString() == files.drop_in + ":1");
  CHECK(find("node.slots").find("live")->asBool());
  CHECK(find("node.lease").find("value")->asString() == "30s");
  CHECK(find("node.lease").find("origin")->asString() == "default");
  CHECK(find("node.memory").find("origin")->asString() == "default: memory of the host or cgroup");
  CHECK(find("plugins.config.t").find("value")->find("token")->asString() == "(not shown)");
  CHECK(find("plugins.config.t").find("value")->find("x")->asInt() == 1);
}

TEST_CASE("config schema writes the schema of the table") {
  CHECK(Json::parse(runCtl({"config", "schema"}).out) == settings::settingsJsonSchema());
}
