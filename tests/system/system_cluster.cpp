#include "system_cluster.hpp"

#include "disttask/base/random.hpp"

#include "support/test_store.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <csignal>

namespace disttask::test {
namespace {

constexpr const char* kIndentStore = "  ";

std::string hexName() {
  return fmt::format("dt_sys_{:x}", static_cast<unsigned long long>(randomToken()));
}

}  // namespace

std::string NodeProcess::page(const std::string& path) const {
  const std::string mark = "http://127.0.0.1:";
  const auto text = process->errors();
  const auto at = text.find(mark);
  if (at == std::string::npos) FAIL("the daemon tells no address of its pages: " << text);
  const auto port = std::stoi(text.substr(at + mark.size()));
  const auto answer = runProgram({"curl", "-sS", "--fail-with-body", fmt::format("{}{}{}", mark, port, path)});
  if (answer.exit_code != 0) FAIL("page " << path << ": " << answer.err << answer.out);
  return answer.out;
}

int NodeProcess::stop() const {
  process->kill(SIGTERM);
  const auto end = process->wait(std::chrono::seconds(40));
  return end ? end->exit_code : -1;
}

SystemCluster::SystemCluster(const std::string& socket) : socket_(socket), schema_(hexName()) {}

SystemCluster::~SystemCluster() {
  try {
    auto settings = connectSettings();
    settings.schema.clear();
    sqlclient::Connection::open(settings)->execute("drop database if exists `" + schema_ + "`");
  } catch (const std::exception&) {
    return;  // a private server may be gone by now, and its data with it
  }
}

sqlclient::ConnectSettings SystemCluster::connectSettings() const {
  sqlclient::ConnectSettings settings;
  if (socket_.empty()) {
    settings = testConnectSettings();
  } else {
    sqlclient::Endpoint endpoint;
    endpoint.socket = socket_;
    settings.endpoints = {endpoint};
    settings.user = "root";
  }
  return settings;
}

std::string SystemCluster::serverYaml(const std::string& indent, const std::string& key, const std::string& user)
    const {
  const auto settings = connectSettings();
  const auto& endpoint = settings.endpoints.front();
  std::string yaml =
      endpoint.socket.empty()
          ? fmt::format("{}{}: \"{}:{}\"\n{}tls: {{mode: off}}\n", indent, key, endpoint.host, endpoint.port, indent)
          : fmt::format("{}socket: {}\n", indent, endpoint.socket);
  yaml += fmt::format("{}user: {}\n", indent, user.empty() ? settings.user : user);
  if (!user.empty()) return yaml;
  const auto password = settings.password ? settings.password() : std::string();
  if (!password.empty()) {
    const auto file = folder_.write("password", password + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    yaml += fmt::format("{}password_file: {}\n", indent, file.string());
  }
  return yaml;
}

std::filesystem::path SystemCluster::writeConfig(const NodeOptions& options) const {
  const auto state = options.state_dir.empty() ? (folder_ / ("state-" + options.id)).string() : options.state_dir;
  const auto& scope = options.beside_tidb;
  const auto yaml = fmt::format(
      "node:\n  id: {}\n{}  slots: {}\n  lease: {}\n  state_dir: {}\n  drain_timeout: {}\n  stop_timeout: "
      "5s\nstore:\n{}  schema: "
      "{}\nlog:\n  "
      "level: debug\n{}{}",
      options.id,
      scope.empty() ? "" : "  scope: " + scope + "\n",
      options.slots,
      options.lease,
      state,
      options.drain_timeout,
      serverYaml(kIndentStore, "endpoints", options.user),
      scope.empty() ? schema_ : "mysql\n  side_schema: " + schema_,
      options.more.find("http:") == std::string::npos ? "http: {listen: 127.0.0.1:0}\n" : "",
      options.more
  );
  const auto plugins = options.more.find("plugins:") == std::string::npos
                           ? fmt::format("plugins:\n  list: [{}]\n", EXAMPLE_PLUGIN)
                           : std::string();
  return folder_.write(options.id + ".yaml", yaml + plugins);
}

NodeProcess SystemCluster::start(const NodeOptions& options) {
  NodeProcess node;
  const auto config = writeConfig(options);
  node.notify = std::make_unique<NotifySocket>(folder_ / fmt::format("notify-{}", ++num_started_));
  std::vector<std::string> words{DISTTASKD, "--config", config.string()};
  if (!options.working_dir.empty()) words.insert(words.begin(), {"env", "-C", options.working_dir});
  node.process = std::make_unique<ChildProcess>(
      words,
      std::map<std::string, std::string>{
          {"NOTIFY_SOCKET", node.notify->path()},
          {"DISTTASK_FAILPOINTS", options.failpoints},
          {"WATCHDOG_USEC", options.watchdog_usec},
          {"JOURNAL_STREAM", ""}}
  );
  return node;
}

NodeProcess SystemCluster::startReady(const NodeOptions& options) {
  auto node = start(options);
  const bool ready = eventually([&] { return node.notify->has("READY=1") || !node.process->isRunning(); }) &&
                     node.notify->has("READY=1");
  if (!ready) FAIL("node " << options.id << " is not ready: " << node.notify->all() << node.process->errors());
  return node;
}

std::string SystemCluster::storeAddress() const {
  const auto settings = connectSettings();
  const auto& endpoint = settings.endpoints.front();
  auto dsn = fmt::format(
      "mysql://{}@{}:{}/{}", settings.user, endpoint.host.empty() ? "localhost" : endpoint.host, endpoint.port, schema_
  );
  if (!endpoint.socket.empty()) dsn += "?socket=" + endpoint.socket;
  return dsn;
}

std::map<std::string, std::string> SystemCluster::ctlEnvironment() const {
  const auto settings = connectSettings();
  return {
      {"DISTTASK_STORE", storeAddress()},
      {"DISTTASK_PASSWORD", settings.password ? settings.password() : std::string()},
      {"DISTTASK_FAILPOINTS", ""}};
}

CtlResult SystemCluster::ctl(const std::vector<std::string>& arguments, std::chrono::nanoseconds limit) const {
  std::vector<std::string> words{DISTTASKCTL};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return runProgram(words, ctlEnvironment(), limit);
}

CtlResult SystemCluster::submit(const std::string& key, const std::string& meta, const std::vector<std::string>& more)
    const {
  std::vector<std::string> arguments{"task", "submit", "--type", "example", "--key", key, "--meta", meta};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return ctl(arguments);
}

std::unique_ptr<ChildProcess> SystemCluster::startCtl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> words{DISTTASKCTL};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return std::make_unique<ChildProcess>(words, ctlEnvironment());
}

std::unique_ptr<TerminalProcess> SystemCluster::startInTerminal(
    const std::vector<std::string>& arguments, TerminalSize size, const std::map<std::string, std::string>& environment
) const {
  std::vector<std::string> words{DISTTASKCTL};
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto all = environment;
  all.merge(ctlEnvironment());
  all.insert({{"TERM", "xterm-256color"}, {"NO_COLOR", ""}});
  return std::make_unique<TerminalProcess>(words, all, size);
}

void SystemCluster::installSchema() {
  const auto result = ctl({"schema", "install"});
  if (result.exit_code != 0) FAIL("schema install: " << result.err);
}

void SystemCluster::makeDatabase() const {
  auto settings = connectSettings();
  settings.schema.clear();
  sqlclient::Connection::open(settings)->execute("create database `" + schema_ + "`");
}

std::string SystemCluster::scalar(const std::string& sql) const {
  const auto found = column(sql);
  return found.empty() ? "" : found.front();
}

std::vector<std::string> SystemCluster::column(const std::string& sql) const {
  auto settings = connectSettings();
  settings.schema = schema_;
  auto connection = sqlclient::Connection::open(settings);
  auto rows = connection->queryDynamic("test", sql, {});
  std::vector<std::string> found;
  while (rows.next()) found.push_back(rows.getString(1));
  return found;
}

std::unique_ptr<sqlclient::Connection> SystemCluster::connect() const {
  auto settings = connectSettings();
  settings.schema = schema_;
  return sqlclient::Connection::open(settings);
}

void SystemCluster::execute(const std::string& sql) const {
  connect()->execute(sql);
}

void SystemCluster::addRunningTask(const std::string& exec_id) const {
  execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, meta, target_scope) "
      "values (7, 'k', 'example', 'running', 1, 1, 512, '{}', 'disttask')"
  );
  execute(
      "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, meta, "
      "ordinal, summary) values (1, '7', 0, '" +
      exec_id + "', 'pending', '{}', 1, '{}', 1, '{}')"
  );
}

CtlResult runProgram(
    const std::vector<std::string>& arguments,
    const std::map<std::string, std::string>& environment,
    std::chrono::nanoseconds limit
) {
  ChildProcess process(arguments, environment);
  const auto end = process.wait(limit);
  CtlResult result;
  if (end) result.exit_code = end->exit_code;
  result.out = process.output();
  result.err = process.errors();
  return result;
}

}  // namespace disttask::test
