#include "batch_fixture.hpp"

#include "disttask/storage/mysql/schema.hpp"

#include <filesystem>

namespace disttask::test {

BatchFixture::BatchFixture() {
  storage::mysql::installLedger({}, store.settings().connect, store.schema() + ".ledger");
  host = std::make_unique<FakeHost>(std::map<std::string, std::string>{
      {"main", connectionJson()}, {"other", connectionJson()}});
  std::filesystem::create_directories(dir / "archive");
  Json config;
  config["archive_dirs"] = Json(Json::Array{Json((dir / "archive").string())});
  type.configure(host->host(), config.dump());
}

std::string BatchFixture::connectionJson() const {
  const auto& settings = store.settings().connect;
  const sqlclient::Endpoint& endpoint = settings.endpoints.at(0);
  Json json;
  if (endpoint.socket.empty()) {
    json["host"] = endpoint.host;
    json["port"] = std::int64_t{endpoint.port};
  } else {
    json["socket"] = endpoint.socket;
  }
  json["user"] = settings.user;
  json["password"] = settings.password ? settings.password() : "";
  if (settings.tls.mode == sqlclient::TlsMode::kVerify) {
    json["tls"]["mode"] = "verify";
    json["tls"]["ca"] = settings.tls.ca;
  }
  json["schemas"] = Json(Json::Array{Json(store.schema())});
  json["ledger"] = store.schema() + ".ledger";
  json["store_id"] = store.schema();  // named locks are the server's: tests at the same time have their own
  return json.dump();
}

std::string BatchFixture::meta(const std::string& statement, const std::string& table, const std::string& more) const {
  Json json = more.empty() ? Json() : Json::parse("{" + more + "}");
  json["statement"] = statement;
  if (json.find("connection") == nullptr) json["connection"] = "main";
  json["table"] = store.schema() + "." + table;
  return json.dump();
}

std::vector<std::string> BatchFixture::plan(std::int64_t task, const std::string& meta) {
  const sdk::Task description{task, 1, "key", "sql_batch", meta};
  std::vector<std::string> metas;
  sdk::Cursor cursor;
  while (!cursor.complete) {
    const FakePlanning planning(*host, {}, 3);
    sdk::Planning call = planning.planning();
    cursor = type.plan(call, description, 1, cursor.next);
    metas.insert(metas.end(), planning.batch().begin(), planning.batch().end());
  }
  return metas;
}

std::unique_ptr<sdk::Step> BatchFixture::step(std::int64_t task, const std::string& meta, std::int32_t parallel) {
  sdk::Resource resource;
  resource.parallel_subtasks = parallel;
  return type.createStep(host->host(), {task, 1, "key", "sql_batch", meta}, 1, resource);
}

Json BatchFixture::run(sdk::Step& step, std::int32_t ordinal, const std::string& subtask_meta) {
  const FakeRun run(*host, checkpoints[ordinal]);
  sdk::Run call = run.run();
  sdk::Subtask subtask;
  subtask.step = 1;
  subtask.ordinal = ordinal;
  subtask.meta = subtask_meta;
  try {
    const std::string result = step.runSubtask(call, subtask);
    checkpoints[ordinal] = run.checkpoint();
    rows_of_last_run = run.rows();
    rows_reported += rows_of_last_run;
    return Json::parse(result);
  } catch (...) {
    checkpoints[ordinal] = run.checkpoint();
    rows_of_last_run = run.rows();
    rows_reported += rows_of_last_run;
    throw;
  }
}

std::vector<Json> BatchFixture::work(std::int64_t task, const std::string& meta) {
  const auto metas = plan(task, meta);
  const auto worker = step(task, meta);
  std::vector<Json> results;
  checkpoints.clear();
  for (std::size_t i = 0; i != metas.size(); ++i) {
    results.push_back(run(*worker, static_cast<std::int32_t>(i + 1), metas[i]));
  }
  worker->cleanup(host->host());
  return results;
}

std::string BatchFixture::failure(std::int64_t task, const std::string& meta) {
  try {
    work(task, meta);
  } catch (const std::exception& exception) {
    return exception.what();
  }
  return {};
}

void BatchFixture::makeNumbers(int rows) {
  execute("create table t (id int primary key, n int not null, pad varchar(100) not null)");
  std::string text;
  for (int i = 1; i <= rows; ++i) {
    text += (text.empty() ? "(" : ",(") + std::to_string(3 * i) + ",0,'pad " + std::to_string(i) + "')";
    if (i % 1000 == 0 || i == rows) {
      execute("insert into t values " + text);
      text.clear();
    }
  }
}

std::int64_t sumOf(const std::vector<Json>& results, const std::string& name) {
  std::int64_t sum = 0;
  for (const Json& result : results) sum += result.find(name)->asInt();
  return sum;
}

}  // namespace disttask::test
