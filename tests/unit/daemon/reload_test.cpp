#include "reload.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <regex>
#include <set>

using namespace disttask;
using namespace disttask::app;

namespace {

const std::string kStore = "store: {socket: /s}\n";

settings::Settings parse(const std::string& yaml) {
  settings::HostFacts facts;
  facts.host_name = "h";
  facts.cpu_count = 3;
  facts.memory_bytes = 1 << 30;
  facts.plugin_dir = "/plugins";
  return settings::parseSettings(yaml, "f", facts).value();
}

std::vector<std::string> namesOf(const std::vector<settings::SettingChange>& changes) {
  std::vector<std::string> names;
  for (const auto& change : changes) names.push_back(change.any().name());
  return names;
}

bool nothingLoaded(const std::string& /*type*/) {
  return false;
}

/// Settings that differ from the defaults in each key that may stand beside the others. KEY: a file of secrets.
const std::string kAllChanged = R"(
node: {id: other, scope: s, slots: 5, memory: 512MiB, listen: "127.0.0.1:7000", advertise: 10.0.0.7, state_dir: /x,
  lease: 10s, drain_timeout: 2s, stop_timeout: 1s, max_abnormal_ends: 5}
store: {socket: /t, user: u, password_credential: c, schema: z, connect_timeout: 2s, read_timeout: 3s,
  tls: {mode: verify, ca: /dev/null, cert: /dev/null, key: KEY}, pool: {max_connections: 9, max_idle: 2s}}
polling: {task_interval: 100ms, subtask_interval: 200ms, max_interval: 5s}
scheduler: {enabled: false, max_tasks: 4, history_after: 1m, history_keep: 2d}
plugins: {dir: /other, list: [a], config: {t: {x: 1}}}
connections: {demo: {endpoint: 127.0.0.1, user: v, password_credential: d, types: [t, u], schemas: [s, z],
  max_connections: 7, ledger: s.l, tls: {mode: verify, ca: /dev/null, cert: /dev/null, key: KEY}}}
log: {level: warn, format: json}
http: {listen: 127.0.0.1:7000}
)";

}  // namespace

TEST_CASE("A reload applies the keys that the table calls live, and names the others") {
  const auto before = parse(
      kStore + "connections: {demo: {socket: /d, user: u, types: [t], schemas: [s]}}\nplugins: {config: {t: {}}}\n"
  );
  const test::TempDir folder;
  const auto key_file = folder.write("key", "");
  ::chmod(key_file.c_str(), 0600);
  const auto after = parse(std::regex_replace(kAllChanged, std::regex("KEY"), key_file.string()));
  const auto plan = planReload(before, after, [](const std::string&) { return true; });
  std::set<std::string_view> seen;
  for (const auto& change : plan.applied) {
    INFO(toString(change));
    CHECK(change.any().key->is_live);
    seen.insert(change.any().key->path);
  }
  for (const auto& change : plan.need_restart) {
    INFO(toString(change));
    CHECK_FALSE(change.any().key->is_live);
    seen.insert(change.any().key->path);
  }
  for (const auto& key : settings::keyTable()) {
    INFO(key.path);
    // Not beside the others: the id, endpoints, a file for the password, and the schema mysql.
    const std::set<std::string_view> left_out{
        "node.instance", "store.endpoints", "store.password_file", "store.side_schema", "connections.*.password_file"};
    CHECK(seen.count(key.path) == (left_out.count(key.path) > 0 ? 0U : 1U));
  }
  // What could not be applied is named again at each reload.
  CHECK(namesOf(planReload(plan.next, after, nothingLoaded).need_restart).size() == plan.need_restart.size() - 1);
  CHECK(planReload(plan.next, before, nothingLoaded).next.node.slots == before.node.slots);
}

TEST_CASE("The configuration of a task type reaches it at a reload only while it is not loaded") {
  const auto before = parse(kStore);
  const auto after = parse(kStore + "plugins: {config: {old: {x: 1}, fresh: {x: 1}}}\n");
  const auto plan = planReload(before, after, [](const std::string& type) { return type == "old"; });
  CHECK(namesOf(plan.applied) == std::vector<std::string>{"plugins.config.fresh"});
  CHECK(namesOf(plan.need_restart) == std::vector<std::string>{"plugins.config.old"});
}

TEST_CASE("Settings that are as before change nothing") {
  const auto settings = parse(kStore);
  const auto plan = planReload(settings, settings, nothingLoaded);
  CHECK(plan.applied.empty());
  CHECK(plan.need_restart.empty());
}

TEST_CASE("A change is one line with the key and both values") {
  const auto plan = planReload(parse(kStore), parse(kStore + "node: {slots: 4}\nlog: {level: debug}\n"), nothingLoaded);
  REQUIRE(plan.applied.size() == 2);
  CHECK(toString(plan.applied[0]) == "node.slots: 3 -> 4");
  CHECK(toString(plan.applied[1]) == "log.level: info -> debug");
}
