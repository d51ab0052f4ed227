#include "node_daemon.hpp"

#include "disttask/runtime/timers.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

namespace disttask::bench {

namespace {

std::string storeYaml(const Places& places, const std::string& schema) {
  const auto& endpoint = places.dsn.endpoint;
  auto text = endpoint.socket.empty() ? fmt::format("endpoints: ['{}:{}']", endpoint.host, endpoint.port)
                                      : fmt::format("socket: '{}'", endpoint.socket);
  text += fmt::format(", user: '{}', schema: {}, tls: {{mode: off}}", places.dsn.user, schema);
  if (places.dsn.password && !places.dsn.password->empty()) {
    const auto file = places.work / "password";
    std::ofstream(file) << *places.dsn.password << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    text += fmt::format(", password_file: '{}'", file.string());
  }
  return text;
}

}  // namespace

NodeDaemon::NodeDaemon(const Places& places, BenchStore& store, const NodeSetup& setup) : id_(setup.id) {
  const auto plugins = places.work / "plugins";
  std::filesystem::create_directories(plugins);
  std::filesystem::copy_file(places.plugin, plugins / "bench_task.so", std::filesystem::copy_options::skip_existing);
  const auto config = places.work / (id_ + ".yaml");
  std::ofstream(config) << fmt::format(
      "node: {{id: {0}, state_dir: '{1}/state-{0}', slots: {2}, lease: {7}s}}\n"
      "store: {{{3}}}\n"
      "scheduler: {{enabled: {4}, max_tasks: {8}}}\n"
      "plugins: {{dir: '{5}', config: {{bench: {{run_log: '{6}'}}}}}}\n"
      "http: {{listen: 127.0.0.1:0}}\n"
      "log: {{level: warn}}\n",
      id_,
      places.work.string(),
      setup.slots,
      storeYaml(places, store.schema()),
      setup.scheduler,
      plugins.string(),
      places.runLog(),
      setup.lease_s,
      setup.max_tasks
  );
  process_ = std::make_unique<test::ChildProcess>(std::vector<std::string>{
      places.daemon.string(), "--config", config.string()});
  const auto registered = [&] {
    if (!process_->isRunning()) throw Exception(ErrorCode::kInternal, "the daemon ended: " + process_->errors());
    const auto node = store.store().nodeTable().getNode({}, id_);
    if (!node || node->life == proto::Life()) return false;
    address_ = node->address;
    nudge_token_ = node->nudge_token;
    return true;
  };
  awaitUntil(std::chrono::seconds(60), "the daemon to register", registered);
}

NodeDaemon::~NodeDaemon() {
  if (!stopped_) process_->kill(SIGTERM);
  static_cast<void>(process_->wait(std::chrono::seconds(5)));
}

void NodeDaemon::nudge() const {
  runtime::sendDatagram(address_, "nudge:" + std::to_string(nudge_token_));
}

void NodeDaemon::stop() {
  process_->kill(SIGTERM);
  stopped_ = true;
  const auto end = process_->wait(std::chrono::seconds(60));
  if (!end || end->exit_code != 0) {
    throw Exception(ErrorCode::kInternal, "the daemon did not end well: " + process_->errors());
  }
}

}  // namespace disttask::bench
