#include "node_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::app {
namespace {

using std::chrono::duration_cast;

double secondsOf(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::int64_t wholeSeconds(runtime::Duration duration) {
  return duration_cast<std::chrono::seconds>(duration).count();
}

/// Numbers of a page for people: milliseconds are enough.
double rounded(runtime::Duration duration) {
  return static_cast<double>(duration_cast<std::chrono::milliseconds>(duration).count()) / 1000.0;
}

std::string_view phaseName(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kWorking:
      return "working";
    case Phase::kStopping:
      break;
  }
  return "stopping";
}

std::string storeText(const NodeReport& report) {
  if (report.store_answers) {
    return report.store_took ? fmt::format(", store {:.1f} ms", secondsOf(*report.store_took) * 1000) : "";
  }
  return report.store_age ? fmt::format(", store gone for {} s", wholeSeconds(*report.store_age)) : "";
}

Json storeJson(const NodeReport& report) {
  Json::Object store;
  store["answers"] = report.store_answers;
  store["answer_age_seconds"] = report.store_age ? Json(rounded(*report.store_age)) : Json();
  store["answer_took_ms"] = report.store_took ? Json(rounded(*report.store_took * 1000)) : Json();
  Json error;
  if (report.store_error) {
    error["code"] = toString(report.store_error->code());
    error["message"] = report.store_error->message();
  }
  store["error"] = error;
  return store;
}

Json tasksJson(const NodeReport& report) {
  Json::Array tasks;
  for (const auto& task : report.tasks) {
    Json::Object one;
    one["task_id"] = task.id.value();
    one["task_key"] = task.key;
    one["type"] = task.type;
    one["step"] = task.step.value();
    one["slots"] = task.slots;
    tasks.emplace_back(std::move(one));
  }
  return tasks;
}

}  // namespace

std::string statusLine(const NodeReport& report) {
  if (report.phase != Phase::kWorking) {
    return fmt::format("{}{}{}", phaseName(report.phase), report.waits_for.empty() ? "" : ": ", report.waits_for);
  }
  auto text =
      fmt::format("{}/{} slots, {} tasks, {} runs", report.slots_used, report.slots, report.tasks.size(), report.runs);
  text += storeText(report);
  if (report.wanted != proto::WantedState::kNormal) text += fmt::format(", {}", toString(report.wanted));
  if (report.is_owner) text += ", owner of the scheduler role";
  if (report.skew > 0) text += fmt::format(", skew of {} subtasks in task {}", report.skew, report.skew_task);
  if (report.store_error) {
    text += fmt::format(", {}: {}", toString(report.store_error->code()), report.store_error->message());
  }
  const auto silent = report.lease - report.lease_left;
  if (silent > report.lease / 2) {
    text += fmt::format(", no confirmed lease renewal for {} s", wholeSeconds(silent));
  }
  for (const auto& loop : report.still_loops) text += fmt::format(", the {} loop stands still", loop);
  if (!report.http_trouble.empty()) text += ", " + report.http_trouble;
  if (!report.reload_trouble.empty()) text += ", " + report.reload_trouble;
  if (!report.need_restart.empty()) {
    text += fmt::format(", a restart is needed for {}", fmt::join(report.need_restart, ", "));
  }
  return text;
}

Json toJson(const NodeReport& report) {
  Json::Object all;
  all["version"] = report.version;
  all["node"] = report.exec_id;
  all["scope"] = report.scope;
  all["epoch"] = report.epoch;
  all["phase"] = phaseName(report.phase);
  all["waits_for"] = report.waits_for;
  all["status"] = statusLine(report);
  all["uptime_seconds"] = wholeSeconds(report.uptime);
  all["slots"] = Json::Object{{"total", report.slots}, {"used", report.slots_used}};
  all["tasks"] = tasksJson(report);
  all["runs"] = report.runs;
  all["ends_unwritten"] = report.ends_unwritten;
  all["wanted"] = toString(report.wanted);
  Json::Object types;
  for (const auto& [type, version] : report.types) types.emplace(type, version);
  all["types"] = std::move(types);
  all["scheduler"] = Json::Object{
      {"owner", report.is_owner},
      {"skew", report.skew},
      {"skew_task", report.skew_task == 0 ? Json() : Json(report.skew_task)},
      {"moved", report.moved}};
  all["store"] = storeJson(report);
  all["lease"] = Json::Object{
      {"seconds", rounded(report.lease)},
      {"left_seconds", rounded(report.lease_left)},
      {"may_start", report.may_start}};
  all["settings"] = Json::Object{
      {"trouble", report.reload_trouble},
      {"need_restart", Json::Array(report.need_restart.begin(), report.need_restart.end())}};
  all["still_loops"] = Json::Array(report.still_loops.begin(), report.still_loops.end());
  return all;
}

std::vector<Check> readiness(const NodeReport& report) {
  std::vector<Check> checks;
  std::string phase;
  // What it waits for, without what others said of it: that is for /statusz.
  if (report.phase != Phase::kWorking) {
    phase = phaseName(report.phase);
    const auto what = report.waits_for.substr(0, report.waits_for.find(": "));
    if (!what.empty()) phase += ": " + what;
  }
  checks.push_back({"phase", phase});
  std::string lease;
  if (report.lease_left <= runtime::Duration::zero()) {
    lease = "this node has no life: it is not registered";
  } else if (!report.may_start) {
    lease = "no renewal was confirmed for two thirds of it, so nothing begins here";
  }
  checks.push_back({"lease", lease});
  std::string store;
  if (!report.store_answers) {
    store = report.store_age ? fmt::format("gone for {} s", wholeSeconds(*report.store_age)) : "has not answered yet";
  }
  // Words of the store stay in /statusz: this page is what load balancers and strangers see first.
  if (report.store_error) {
    store += fmt::format("{}{}", store.empty() ? "" : ", ", toString(report.store_error->code()));
  }
  checks.push_back({"store", store});
  checks.push_back(
      {"loops", report.still_loops.empty() ? "" : fmt::format("stand still: {}", fmt::join(report.still_loops, ", "))}
  );
  return checks;
}

}  // namespace disttask::app
