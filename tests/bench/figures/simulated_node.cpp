#include "simulated_node.hpp"

#include "disttask/base/json.hpp"
#include "disttask/planning/spread.hpp"

#include <algorithm>

namespace disttask::bench {

namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kRenewalPauseNs = 7500 * kMs;
constexpr std::int64_t kShortestPollPauseNs = 300 * kMs;
constexpr std::int64_t kLongestPollPauseNs = 2000 * kMs;
constexpr std::int64_t kRowsPerBatch = 1000;

storage::mysql::StoreSettings settingsOf(const Places& places, const std::string& schema) {
  storage::mysql::StoreSettings settings;
  settings.connect = sqlclient::toConnectSettings(places.dsn);
  settings.schema = schema;
  settings.pool_size = 2;
  return settings;
}

}  // namespace

SimulatedNode::SimulatedNode(
    const Places& places,
    const std::string& schema,
    const std::string& exec_id,
    std::int32_t slots,
    const std::string& address,
    std::int64_t nudge_token
)
    : store_(settingsOf(places, schema), runtime::systemClock()) {
  node_.exec_id = exec_id;
  node_.life = proto::Life(1);
  node_.role = "disttask";
  node_.slots = slots;
  node_.address = address;
  node_.nudge_token = nudge_token;
  if (!address.empty()) node_.types = {{"bench", "1.0"}};
  if (!store_.nodeTable().registerNode({}, node_, std::nullopt)) {
    throw Exception(ErrorCode::kInternal, "a simulated node could not be registered");
  }
  // Nodes that were registered together do not renew and poll together.
  const auto share = static_cast<std::int64_t>(std::hash<std::string>()(exec_id) % 1000);
  next_renewal_ns_ = monotonicNs() + kRenewalPauseNs * share / 1000;
}

void SimulatedNode::renew() {
  if (!store_.nodeTable().renew({}, node_)) {
    throw Exception(ErrorCode::kInternal, "simulated node " + node_.exec_id + " was evicted");
  }
}

void SimulatedNode::leave() {
  static_cast<void>(store_.nodeTable().release({}, node_.exec_id, node_.life));
}

std::int64_t SimulatedNode::turn(const SimulatedWork& work, bool nudged) {
  const auto now = monotonicNs();
  if (now >= next_renewal_ns_) {
    renew();
    next_renewal_ns_ = now + kRenewalPauseNs;
  }
  endRuns(work, now);
  if (nudged || now >= next_poll_ns_) {
    const auto seen = poll();
    has_rows_ = seen.has_subtasks;
    if (seen.has_plan) plan(work);
    const bool has_work = has_rows_ || seen.has_plan;
    poll_pause_ns_ =
        has_work ? kShortestPollPauseNs : std::clamp(poll_pause_ns_ * 2, kShortestPollPauseNs, kLongestPollPauseNs);
    next_poll_ns_ = now + poll_pause_ns_;
  }
  if (has_rows_ && runs_.size() < static_cast<std::size_t>(work.at_once)) startRuns(work);
  ended_.clear();
  auto next = std::min(next_poll_ns_, next_renewal_ns_);
  for (const auto& run : runs_) next = std::min(next, run.ends_ns);
  return next;
}

void SimulatedNode::forgetRuns() {
  for (const auto& run : runs_) {
    static_cast<void>(store_.taskTable().giveBackSubtask({}, node_.exec_id, run.start.id));
  }
  runs_.clear();
}

void SimulatedNode::endRuns(const SimulatedWork& work, std::int64_t now) {
  std::vector<storage::RunWrite> writes;
  std::vector<Run> going_on;
  std::vector<Run> ending;
  for (const auto& run : runs_) (run.ends_ns <= now ? ending : going_on).push_back(run);
  if (ending.empty()) return;
  for (const auto& run : ending) writes.emplace_back(storage::RunFinish{run.start.id, "{}", std::nullopt});
  const auto results = store_.taskTable().writeRuns({}, node_.exec_id, writes);
  const auto at = monotonicNs();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].error) {
      going_on.push_back(ending[i]);  // again at the next turn
      continue;
    }
    const auto& row = ending[i].start.as_read;
    ended_.emplace(row.task_id.value(), row.step.value());
    if (results[i].outcome == proto::TransitionOutcome::kApplied) {
      work.on_finished(row.task_id.value(), row.step.value(), at);
    }
  }
  runs_ = std::move(going_on);
}

std::vector<storage::RunStart> SimulatedNode::pickRows(
    std::size_t count, std::set<std::pair<std::int64_t, std::int32_t>>& ended
) {
  auto& table = store_.taskTable();
  std::vector<storage::RunStart> picked;
  for (const auto& info : table.getTaskExecInfoByExecId({}, node_.exec_id)) {
    if (picked.size() >= count) break;
    if (info.task.state != proto::TaskState::kRunning) continue;
    const auto limit = static_cast<std::int32_t>(count - picked.size());
    const auto rows = table.getSubtasksByExecIdAndStepAndStates(
        {}, node_.exec_id, info.task.id, info.task.step, {proto::SubtaskState::kPending}, limit
    );
    if (!rows.empty()) ended.erase({info.task.id.value(), info.task.step.value()});
    for (const auto& row : rows) {
      picked.push_back({row.id, {row.task_id, row.step, row.ordinal, row.token}, true});
    }
  }
  return picked;
}

void SimulatedNode::startRuns(const SimulatedWork& work) {
  const auto room = static_cast<std::size_t>(work.at_once) - runs_.size();
  auto dry = ended_;
  const auto picked = pickRows(room, dry);
  if (!dry.empty() && picked.size() < room) work.on_dry();
  if (picked.empty()) {
    has_rows_ = false;  // until the next poll
    return;
  }
  const std::vector<storage::RunWrite> writes(picked.begin(), picked.end());
  const auto results = store_.taskTable().writeRuns({}, node_.exec_id, writes);
  const auto at = monotonicNs();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].error || results[i].outcome != proto::TransitionOutcome::kApplied) continue;
    const auto& row = picked[i].as_read;
    work.on_started(row.task_id.value(), row.step.value(), at);
    runs_.push_back({picked[i], at + work.length.count()});
  }
}

void SimulatedNode::plan(const SimulatedWork& work) {
  for (const auto& plan : store_.planTable().getPlansOf({}, node_.exec_id)) {
    if (planOne(plan, work)) work.on_planned();
  }
}

bool SimulatedNode::planOne(storage::Plan plan, const SimulatedWork& work) {
  auto& plans = store_.planTable();
  if (plan.kind != storage::PlanKind::kStep) return plans.complete({}, plan) == storage::PlanWrite::kApplied;
  const auto task = store_.taskTable().getTaskById({}, plan.task_id);
  if (!task) return false;
  const auto steps = Json::parse(task->meta).find("steps")->asArray();
  if (!plan.step) {
    const auto next = plan.after_step == proto::kStepInit ? 1 : plan.after_step.value() + 1;
    const bool is_done = next > static_cast<std::int32_t>(steps.size());
    plan.step = is_done ? proto::kStepDone : proto::Step(next);
    if (plans.setStep({}, *task, plan, *plan.step) != storage::PlanWrite::kApplied) return false;
  }
  if (*plan.step == proto::kStepDone) return true;
  const auto count = steps.at(static_cast<std::size_t>(plan.step->value()) - 1).asInt();
  const planning::Spread spread(planning::eligibleNodes(store_.nodeTable().getAllNodes({}), *task));
  auto done = plan.cursor.empty() ? std::int64_t{0} : std::stoll(plan.cursor);
  bool is_complete = false;
  while (!is_complete) {
    storage::PlanBatch batch;
    const auto first = plan.next_ordinal;
    for (; done < count && batch.rows.size() < kRowsPerBatch; ++done) {
      batch.rows.push_back({"{}", spread.nodeOf(first + static_cast<std::int32_t>(batch.rows.size()))});
    }
    batch.next_cursor = std::to_string(done);
    batch.complete = is_complete = done >= count;
    if (plans.writeBatch({}, *task, plan, batch) != storage::PlanWrite::kApplied) return false;
    work.on_planned();
  }
  return true;
}

}  // namespace disttask::bench
