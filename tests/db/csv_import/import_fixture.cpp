#include "import_fixture.hpp"

#include "disttask/base/random.hpp"
#include "disttask/storage/mysql/schema.hpp"

#include <filesystem>

namespace disttask::test {

ImportFixture::ImportFixture() {
  auto settings = store.settings().connect;
  storage::mysql::installLedger({}, settings, store.schema() + ".ledger");
  host = std::make_unique<FakeHost>(std::map<std::string, std::string>{{"main", connectionJson()}});
  std::filesystem::create_directories(dir / "in");
  std::filesystem::create_directories(dir / "rejects");
  Json config;
  config["allowed_dirs"] = Json(Json::Array{Json((dir / "in").string())});
  config["rejects_dir"] = (dir / "rejects").string();
  type.configure(host->host(), config.dump());
}

ImportFixture::~ImportFixture() {
  if (own_user.empty()) return;
  try {
    store.execute("drop user '" + own_user + "'@'%', '" + own_user + "'@'localhost'");
  } catch (const Exception&) {  // the server is gone, and its users with it
  }
}

std::string ImportFixture::useOwnUser() {
  own_user = "t" + std::to_string(randomToken() % 1'000'000'000'000);
  for (const std::string host_part : {"'%'", "'localhost'"}) {
    const std::string name = "'" + own_user + "'@" + host_part;
    store.execute("create user " + name + " identified by 'test'");
    store.execute("grant all on " + store.schema() + ".* to " + name);
  }
  Json json = Json::parse(connectionJson());
  json["user"] = own_user;
  json["password"] = "test";
  host = std::make_unique<FakeHost>(std::map<std::string, std::string>{{"main", json.dump()}});
  return own_user;
}

std::string ImportFixture::connectionJson(const std::string& more) const {
  const auto& settings = store.settings().connect;
  const sqlclient::Endpoint& endpoint = settings.endpoints.at(0);
  Json json = more.empty() ? Json() : Json::parse(more);
  if (endpoint.socket.empty()) {
    json["host"] = endpoint.host;
    json["port"] = std::int64_t{endpoint.port};
  } else {
    json["socket"] = endpoint.socket;
  }
  json["user"] = settings.user;
  json["password"] = settings.password ? settings.password() : "";
  json["schemas"] = Json(Json::Array{Json(store.schema())});
  json["max_connections"] = 4;
  json["ledger"] = store.schema() + ".ledger";
  json["store_id"] = "test-store";
  return json.dump();
}

std::string ImportFixture::file(const std::string& name, const std::string& content) {
  return dir.write("in/" + name, content).string();
}

std::string ImportFixture::meta(const std::string& file, const std::string& table, const std::string& more) const {
  Json json = more.empty() ? Json() : Json::parse("{" + more + "}");
  json["file"] = file;
  if (json.find("connection") == nullptr) json["connection"] = "main";
  json["target"]["schema"] = store.schema();
  json["target"]["table"] = table;
  return json.dump();
}

std::vector<std::string> ImportFixture::plan(
    std::int64_t task, const std::string& meta, std::int32_t step, const std::vector<std::string>& results
) {
  const sdk::Task description{task, 1, "key", "csv_import", meta};
  std::vector<std::string> metas;
  sdk::Cursor cursor;
  while (!cursor.complete) {
    const FakePlanning planning(*host, results, 3);
    sdk::Planning call = planning.planning();
    cursor = type.plan(call, description, step, cursor.next);
    metas.insert(metas.end(), planning.batch().begin(), planning.batch().end());
  }
  return metas;
}

std::unique_ptr<sdk::Step> ImportFixture::step(std::int64_t task, const std::string& meta, std::int32_t step) {
  return type.createStep(host->host(), {task, 1, "key", "csv_import", meta}, step, {});
}

std::string ImportFixture::run(
    sdk::Step& step, std::int32_t step_number, std::int32_t ordinal, const std::string& subtask_meta
) {
  const FakeRun run(*host);
  sdk::Run call = run.run();
  sdk::Subtask subtask;
  subtask.step = step_number;
  subtask.ordinal = ordinal;
  subtask.meta = subtask_meta;
  std::string result;
  try {
    result = step.runSubtask(call, subtask);
  } catch (...) {
    rows_reported += run.rows();
    throw;
  }
  rows_reported += run.rows();
  return result;
}

std::vector<std::string> ImportFixture::import(std::int64_t task, const std::string& meta) {
  const auto metas = plan(task, meta, 1);
  const auto importer = step(task, meta, 1);
  std::vector<std::string> results;
  for (std::size_t i = 0; i != metas.size(); ++i) {
    results.push_back(run(*importer, 1, static_cast<std::int32_t>(i + 1), metas[i]));
  }
  importer->cleanup(host->host());
  return results;
}

Json ImportFixture::importAndVerify(std::int64_t task, const std::string& meta) {
  const auto metas = plan(task, meta, 2, import(task, meta));
  const auto verifier = step(task, meta, 2);
  std::string last;
  for (std::size_t i = 0; i != metas.size(); ++i) {
    last = run(*verifier, 2, static_cast<std::int32_t>(i + 1), metas[i]);
  }
  verifier->cleanup(host->host());
  return Json::parse(last);
}

std::string ImportFixture::failure(std::int64_t task, const std::string& meta) {
  try {
    importAndVerify(task, meta);
  } catch (const std::exception& exception) {
    return exception.what();
  }
  return {};
}

}  // namespace disttask::test
