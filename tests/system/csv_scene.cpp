#include "csv_scene.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace disttask::test {
namespace {
// One path that names another folder in each process.
constexpr const char* kOwnFiles = "/proc/self/cwd/files";
}  // namespace

CsvScene::CsvScene(SystemCluster& cluster, int records) : cluster_(cluster), records_(records) {
  cluster_.installSchema();
  cluster_.execute("create table cities (id int not null, name varchar(100) not null, note varchar(200) null)");
  std::string text = "id,name,note\n";
  for (int i = 1; i <= records_; ++i) {
    text += i % 100 == 0 ? fmt::format("{},\"city {}\nof \"\"two\"\" lines\",ünïcode\n", i, i)
                         : fmt::format("{},city {},note {}\n", i, i, i % 7);
  }
  file_ = cluster_.folder().write("files/cities.csv", text).string();
  const auto installed = cluster_.ctl(
      {"schema", "install", "--connection", "target", "--config", cluster_.writeConfig(node("installer")).string()}
  );
  if (installed.exit_code != 0) FAIL("ledger: " << installed.err);
}

NodeOptions CsvScene::node(const std::string& id) const {
  return nodeFor(id, (cluster_.folder() / "files").string());
}

NodeOptions CsvScene::nodeWithOwnFiles(const std::string& id, bool has_file) const {
  auto options = nodeFor(id, kOwnFiles);
  options.working_dir = (cluster_.folder() / ("root-" + id)).string();
  std::filesystem::create_directories(options.working_dir + "/files");
  if (has_file) std::filesystem::copy_file(file_, options.working_dir + "/files/cities.csv");
  return options;
}

NodeOptions CsvScene::nodeFor(const std::string& id, const std::string& files) const {
  NodeOptions options;
  options.id = id;
  options.slots = 2;
  options.more = fmt::format(
      "plugins:\n  list: [{}]\n  config:\n    csv_import: {{allowed_dirs: [{}]}}\nconnections:\n  target:\n{}    "
      "types: [csv_import]\n    schemas: [{}]\n",
      CSV_IMPORT_PLUGIN,
      files,
      cluster_.serverYaml("    ", "endpoint"),
      cluster_.schema()
  );
  return options;
}

std::string CsvScene::meta() const {
  return metaFor(file_);
}

std::string CsvScene::metaOfOwnFiles() const {
  return metaFor(std::string(kOwnFiles) + "/cities.csv");
}

std::string CsvScene::metaFor(const std::string& file) const {
  return Json(Json::Object{
                  {"file", file},
                  {"connection", "target"},
                  {"target", Json::Object{{"schema", cluster_.schema()}, {"table", "cities"}}},
                  {"chunk_bytes", std::int64_t{16 * 1024}},
              })
      .dump();
}

void CsvScene::checkLoaded(const Json& shown) const {
  CHECK(shown.find("state")->asString() == "succeed");
  const auto count = std::to_string(records_);
  CHECK(cluster_.scalar("select count(*) from cities") == count);
  CHECK(cluster_.scalar("select count(distinct id) from cities") == count);
  CHECK(cluster_.scalar("select count(*) from cities where name like '%two%'") == std::to_string(records_ / 100));
  // The last part of the verification carries the sums of all of them.
  bool verified = false;
  for (const auto& result : shown.find("results")->asArray()) {
    const auto* rows = result.find("verified_rows");
    verified = verified || (rows != nullptr && rows->asInt() == records_);
  }
  INFO(shown.dump());
  CHECK(verified);
}

}  // namespace disttask::test
