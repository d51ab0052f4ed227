// What is found out before a task or another meta of it is written: what its plugin says, and with --dry-run what would
// come of it.
#include "task_trial.hpp"

#include "disttask/planning/spread.hpp"
#include "disttask/plugin/plugin_trial.hpp"
#include "disttask/proto/eligibility.hpp"

#include "../../exit_codes.hpp"
#include "../../named_connections.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <system_error>

namespace disttask::ctl {
namespace {

/// Returns where plugins are looked for; nothing when there is no such place here.
std::optional<plugin::PluginLoaderSettings> findPlugins(Context& context, const MetaCheck& check) {
  plugin::PluginLoaderSettings to;
  std::error_code failure;
  if (!context.options().config.empty()) {
    const auto& settings = context.daemonSettings().plugins;
    to.dir = settings.dir;
    to.list = settings.list;
    for (const auto& [type, config] : settings.config) to.config.emplace(type, config.dump());
  }
  if (!check.plugin.empty()) {
    if (!std::filesystem::exists(check.plugin, failure))
      throw Exception(ErrorCode::kNotFound, "--plugin: there is no file " + check.plugin);
    // A name alone would be looked up in the folder of plugins; here it is a file.
    to.list = {std::filesystem::absolute(check.plugin).string()};
    return to;
  }
  if (!check.plugins_dir.empty()) {
    if (!std::filesystem::is_directory(check.plugins_dir, failure))
      throw Exception(ErrorCode::kNotFound, "--plugins-dir: there is no folder " + check.plugins_dir);
    to.dir = std::filesystem::absolute(check.plugins_dir).string();
    to.list.clear();
    return to;
  }
  if (to.dir.empty()) to.dir = context.facts().plugin_dir;
  if (to.list.empty() && !std::filesystem::is_directory(to.dir, failure)) return std::nullopt;
  return to;
}

proto::Task taskOf(const storage::TaskRequest& request) {
  proto::Task task;
  task.key = request.key;
  task.type = request.type;
  task.meta = request.meta;
  task.slots = request.slots;
  task.priority = request.priority;
  task.max_nodes = request.max_nodes;
  task.target_scope = request.target_scope;
  task.extra = request.extra;
  return task;
}

/// Plugins write nothing in a trial, so without a store any id will do.
std::string storeIdFor(Context& context) {
  try {
    return context.store().storeId(context.call());
  } catch (const Exception&) {
    return "unknown";
  }
}

plugin::PluginTrial consultPlugin(
    Context& context, const MetaCheck& check, const proto::Task& task, std::optional<std::int32_t> num_nodes
) {
  const auto plugins = findPlugins(context, check);
  if (!plugins) {
    plugin::PluginTrial trial;
    trial.problem = "there are no plugins here: give --plugin FILE, --plugins-dir DIR or --config FILE";
    return trial;
  }
  std::map<std::string, settings::ConnectionSettings> known;
  if (!context.options().config.empty()) known = context.daemonSettings().connections;
  app::NamedConnections connections(std::move(known), context.facts().credentials_directory);
  connections.setStoreId(storeIdFor(context));
  return plugin::tryTask(*plugins, task, num_nodes, connections);
}

[[noreturn]] void refuseMeta(const storage::TaskRequest& request, const std::string& why) {
  throw Exception(
      ErrorCode::kInvalidArgument, fmt::format("--meta is not what type '{}' wants: {}", request.type, why)
  );
}

/// What a dry run found out.
struct Forecast {
  plugin::PluginTrial trial;
  std::vector<std::pair<std::string, std::int64_t>> nodes;  ///< who would get subtasks, and how many of the first step
  std::vector<std::string> missing;                         ///< why something is not known
  std::optional<proto::TaskId> existing;                    ///< the task that would be given in place of a new one
};

/// What a submit would find under this key, when it may give that.
std::optional<proto::TaskId> findExisting(Context& context, const TaskSubmit& options, const std::string& key) {
  const auto old = context.store().clientTable().findTaskByKey(context.call(), key);
  if (!old) return std::nullopt;
  if (options.if_absent) return old->id;
  throw Exception(
      ErrorCode::kAlreadyExists,
      fmt::format(
          "the key '{}' was used before, by task id:{}; a key is used once, for ever (--if-absent gives the old task)",
          key,
          old->id.value()
      )
  );
}

void findNodes(Context& context, const proto::Task& task, Forecast& forecast) {
  auto& store = context.store();
  const auto all = store.nodeTable().getAllNodes(context.call());
  const auto nodes = planning::eligibleNodes(all, task);
  if (nodes.empty()) {
    forecast.missing.push_back("a node: " + proto::whyNoNode(all, task));
    return;
  }
  for (const auto& node : nodes) forecast.nodes.emplace_back(node.exec_id, 0);
  if (forecast.trial.subtasks == 0) return;
  const planning::Spread spread(nodes);
  std::map<std::string, std::int64_t> counts;
  for (std::int64_t i = 1; i <= forecast.trial.subtasks; ++i) ++counts[spread.nodeOf(static_cast<std::int32_t>(i))];
  for (auto& [node, count] : forecast.nodes) count = counts[node];
}

Forecast forecastOf(Context& context, const TaskSubmit& options, const storage::TaskRequest& request) {
  const auto task = taskOf(request);
  Forecast forecast;
  std::vector<proto::Node> nodes;
  std::optional<Error> store_failure;
  try {
    nodes = planning::eligibleNodes(context.store().nodeTable().getAllNodes(context.call()), task);
  } catch (const Exception& e) {
    store_failure = e.error();
  }
  forecast.trial =
      consultPlugin(context, options.check, task, std::max<std::int32_t>(1, static_cast<std::int32_t>(nodes.size())));
  if (!forecast.trial.refusal.empty()) refuseMeta(request, forecast.trial.refusal);
  if (!store_failure) forecast.existing = findExisting(context, options, task.key);
  if (forecast.existing) {
    // Nothing would be planned, and a plugin that is not here stands in nobody's way but with --validate require.
    if (!forecast.trial.problem.empty() && options.check.validate == Validate::kRequire)
      forecast.missing.push_back("the plugin: " + forecast.trial.problem);
    forecast.trial.step.reset();
    forecast.trial.subtasks = 0;
    forecast.trial.is_whole = true;
    return forecast;
  }
  if (!forecast.trial.problem.empty()) forecast.missing.push_back("the plugin: " + forecast.trial.problem);
  if (!forecast.trial.plan_problem.empty()) {
    forecast.missing.push_back("what planning needs, a file or a connection: " + forecast.trial.plan_problem);
  }
  if (store_failure) {
    forecast.missing.push_back("the store: " + store_failure->message());
  } else {
    findNodes(context, task, forecast);
  }
  return forecast;
}

std::string nodesText(const Forecast& forecast) {
  std::string text;
  for (const auto& [node, count] : forecast.nodes) {
    if (count == 0 && forecast.trial.subtasks > 0) continue;  // known to get none
    text += (text.empty() ? "" : ", ") + (count == 0 ? node : fmt::format("{} on {}", formatCount(count), node));
  }
  return text;
}

void print(Context& context, const storage::TaskRequest& request, const Forecast& forecast) {
  const auto& trial = forecast.trial;
  Facts facts;
  facts.add("task", request.key);
  if (forecast.existing) facts.add("existing", fmt::format("id:{} has this key", forecast.existing->value()));
  facts.add("type", request.type);
  facts.add("plugin", trial.origin);
  if (trial.problem.empty()) facts.add("meta", "the plugin has nothing against it", Style::kGood);
  if (trial.step && trial.plan_problem.empty()) {
    facts.add(
        fmt::format("step {}", *trial.step),
        (trial.is_whole ? "" : "more than ") + formatNumber(trial.subtasks, "subtask")
    );
  }
  facts.add("nodes", nodesText(forecast));
  for (const auto& missing : forecast.missing) facts.add("missing", missing, Style::kWarning);
  facts.print(context.out(), context.terminal());
}

}  // namespace

void validateMeta(Context& context, const MetaCheck& check, const storage::TaskRequest& request) {
  if (check.validate == Validate::kOff) return;
  const auto trial = consultPlugin(context, check, taskOf(request), std::nullopt);
  if (!trial.refusal.empty()) refuseMeta(request, trial.refusal);
  if (trial.problem.empty()) return;
  if (check.validate == Validate::kRequire)
    throw Exception(ErrorCode::kPrecondition, "the meta could not be validated: " + trial.problem);
  context.err() << "the meta was not validated here: " << trial.problem << '\n';
}

std::string whyNobodyRuns(Context& context, const storage::TaskRequest& request) noexcept {
  try {
    const auto all = context.store().nodeTable().getAllNodes(context.call());
    const auto task = taskOf(request);
    return planning::eligibleNodes(all, task).empty() ? proto::whyNoNode(all, task) : "";
  } catch (const std::exception&) {
    return "";  // the task is submitted: nothing that fails now may say otherwise
  }
}

int tryWithoutWriting(Context& context, const TaskSubmit& options, const storage::TaskRequest& request) {
  const auto forecast = forecastOf(context, options, request);
  const auto& trial = forecast.trial;
  Json::Object nodes;
  for (const auto& [node, count] : forecast.nodes) nodes.emplace(node, count);
  const Json json = Json::Object{
      {"key", request.key},
      {"type", request.type},
      {"plugin", trial.origin},
      {"validated", trial.problem.empty()},
      {"step", trial.step ? Json(std::int64_t{*trial.step}) : Json()},
      {"subtasks", trial.subtasks},
      {"subtasks_complete", trial.is_whole},
      {"nodes", std::move(nodes)},
      {"missing", Json::Array(forecast.missing.begin(), forecast.missing.end())},
      {"existing", forecast.existing ? Json(forecast.existing->value()) : Json()},
  };
  printOne(context, request.key, json, [&] { print(context, request, forecast); });
  context.err() << "nothing was written\n";
  return forecast.missing.empty() ? app::kExitClean : app::kCtlFailed;
}

}  // namespace disttask::ctl
