#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>

using namespace disttask;           // NOLINT: a test
using namespace disttask::storage;  // NOLINT: a test

namespace {

TaskRequest request(const std::string& key) {
  TaskRequest wanted;
  wanted.key = key;
  wanted.type = "example";
  wanted.meta = R"({"sleep_ms":1})";
  return wanted;
}

/// What the mover does with a finished task, in one go.
void moveToHistory(test::TestStore& store, TaskId id) {
  const auto text = std::to_string(id.value());
  store.execute(
      "insert into tidb_background_subtask_history select * from tidb_background_subtask where task_key='" + text + "'"
  );
  store.execute("delete from tidb_background_subtask where task_key='" + text + "'");
  store.execute("insert into tidb_global_task_history select * from tidb_global_task where id=" + text);
  store.execute("delete from tidb_global_task where id=" + text);
}

void setState(test::TestStore& store, TaskId id, const std::string& state) {
  store.execute("update tidb_global_task set state='" + state + "' where id=" + std::to_string(id.value()));
}

/// Makes `count` subtasks of a step, with ordinals from `first` on.
void addSubtasks(
    test::TestStore& store,
    TaskId id,
    int step,
    int first,
    int count,
    const std::string& state,
    const std::string& summary
) {
  for (int i = 0; i < count; ++i) {
    store.execute(
        "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, meta, ordinal, summary)"
        " values (" +
        std::to_string(step) + ",'" + std::to_string(id.value()) + "',0,'n1','" + state + "','{}',1,now(),'meta'," +
        std::to_string(first + i) + ",'" + summary + "')"
    );
  }
}

ErrorCode codeOf(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Exception& e) {
    if (message != nullptr) *message = e.what();
    return e.error().code();
  }
  return ErrorCode::kInternal;
}

}  // namespace

TEST_CASE("A submitted task is pending in step init with all that was asked for") {
  test::TestStore store;
  auto wanted = request("nightly Ünïcode 数据");
  wanted.slots = 3;
  wanted.priority = -5;
  wanted.max_nodes = 2;
  wanted.target_scope = "blue";
  wanted.extra.parallel_subtasks = 4;
  const auto result = store->clientTable().submitTask({}, wanted);
  CHECK_FALSE(result.existed);
  const auto task = store->clientTable().findTask({}, result.id);
  REQUIRE(task);
  CHECK(task->key == wanted.key);
  CHECK(task->type == "example");
  CHECK(task->state == TaskState::kPending);
  CHECK(task->step == proto::kStepInit);
  CHECK(task->priority == -5);
  CHECK(task->slots == 3);
  CHECK(task->max_nodes == 2);
  CHECK(task->target_scope == "blue");
  CHECK(task->extra == wanted.extra);
  CHECK(task->meta == wanted.meta);
  CHECK(task->create_time > 0);
  CHECK(task->start_time == 0);
  CHECK(task->state_update_time == 0);
  CHECK(store->clientTable().findTaskByKey({}, wanted.key)->id == result.id);
}

TEST_CASE("A key that was ever used gives the old task, live or in history") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto first = table.submitTask({}, request("key"));
  auto again = table.submitTask({}, request("key"));
  CHECK(again.existed);
  CHECK(again.id == first.id);
  moveToHistory(store, first.id);
  again = table.submitTask({}, request("key"));
  CHECK(again.existed);
  CHECK(again.id == first.id);
  CHECK(store.scalar("select count(*) from tidb_global_task") == "0");
  // Keys differ by case and by trailing letters.
  CHECK_FALSE(table.submitTask({}, request("Key")).existed);
  CHECK_FALSE(table.submitTask({}, request("key2")).existed);
}

TEST_CASE("Submitters of one key at once get one id, and one of them made it") {
  test::TestStore store;
  const auto second = store.makeStore();
  constexpr int kRounds = 10;
  constexpr int kSubmitters = 4;
  std::vector<SubmitResult> results(kRounds * kSubmitters);
  std::atomic<int> failures{0};
  {
    runtime::ThreadGroup threads;
    for (int i = 0; i < kSubmitters; ++i) {
      threads.spawn("submitter", [&, i] {
        auto& table = i % 2 == 0 ? store->clientTable() : second->clientTable();
        for (int round = 0; round < kRounds; ++round) {
          try {
            results[static_cast<std::size_t>(round * kSubmitters + i)] =
                table.submitTask({}, request("key " + std::to_string(round)));
          } catch (const Exception&) {
            ++failures;
          }
        }
      });
    }
    threads.join();
  }
  CHECK(failures == 0);
  for (std::size_t round = 0; round < kRounds; ++round) {
    int made = 0;
    for (std::size_t i = 0; i < kSubmitters; ++i) {
      const auto& result = results[round * kSubmitters + i];
      CHECK(result.id == results[round * kSubmitters].id);
      if (!result.existed) ++made;
    }
    CHECK(made == 1);
  }
  CHECK(store.scalar("select count(*) from tidb_global_task") == std::to_string(kRounds));
}

TEST_CASE("A submit whose connection is killed while it waits still makes one task, known as its own") {
  test::TestStore store;
  const auto blocker = store.connect();
  blocker->begin();
  // Holds the key: whoever inserts it waits.
  blocker->execute("insert into tidb_global_task (task_key, type, state, step) values ('key','example','pending',-1)");
  std::optional<SubmitResult> result;
  runtime::ThreadGroup threads;
  threads.spawn("submitter", [&] { result = store->clientTable().submitTask({}, request("key")); });
  std::string waiting;
  CHECK(test::eventually([&] {
    waiting = store.scalar(
        "select id from information_schema.processlist where db=database() and info like 'insert into "
        "tidb_global_task%' limit 1"
    );
    return !waiting.empty();
  }));
  if (!waiting.empty()) store.execute("kill " + waiting);
  blocker->rollback();
  threads.join();
  REQUIRE(result);
  CHECK_FALSE(result->existed);
  CHECK(store.scalar("select count(*) from tidb_global_task") == "1");
}

TEST_CASE("A key whose task moves to history while it is submitted again gives the old task and is there once") {
  test::TestStore store;
  const auto first = store->clientTable().submitTask({}, request("key"));
  const auto mover = store.connect();
  mover->begin();
  mover->execute("insert into tidb_global_task_history select * from tidb_global_task where task_key='key'");
  mover->execute("delete from tidb_global_task where task_key='key'");
  SubmitResult again;
  runtime::ThreadGroup threads;
  threads.spawn("submitter", [&] { again = store->clientTable().submitTask({}, request("key")); });
  // The submitter's insert waits for the mover; a look into history before it would have found nothing.
  CHECK(test::eventually([&] {
    return store.scalar(
               "select count(*) from information_schema.processlist where db=database() and info like 'insert into "
               "tidb_global_task (%'"
           ) == "1";
  }));
  mover->commit();
  threads.join();
  CHECK(again.existed);
  CHECK(again.id == first.id);
  CHECK(store.scalar("select count(*) from tidb_global_task") == "0");
  CHECK(store.scalar("select count(*) from tidb_global_task_history where task_key='key'") == "1");
}

TEST_CASE("A request that cannot be right is refused before anything is written") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto refused = [&](const std::function<void(TaskRequest&)>& change) {
    auto wanted = request("key");
    change(wanted);
    std::string message;
    CHECK(codeOf([&] { static_cast<void>(table.submitTask({}, wanted)); }, &message) == ErrorCode::kInvalidArgument);
    return message;
  };
  CHECK(refused([](auto& wanted) { wanted.key = ""; }) == "task key is empty");
  CHECK(refused([](auto& wanted) {
          wanted.key = std::string(257, 'k');
        }) == "task key has 257 bytes; the limit is 256");
  CHECK(refused([](auto& wanted) { wanted.key = "\xff"; }) == "task key is not valid UTF-8");
  CHECK(refused([](auto& wanted) { wanted.type = ""; }) == "task type is empty");
  CHECK(refused([](auto& wanted) { wanted.slots = 0; }) == "task required slots(0) must be at least 1");
  CHECK(refused([](auto& wanted) { wanted.max_nodes = -1; }) == "max nodes must not be negative");
  CHECK(refused([](auto& wanted) { wanted.meta = "{"; }).rfind("task meta is not JSON: ", 0) == 0);
  CHECK(refused([](auto& wanted) { wanted.meta = ""; }).rfind("task meta is not JSON: ", 0) == 0);
  CHECK(refused([](auto& wanted) { wanted.target_scope = "a b"; }).rfind("scope 'a b'", 0) == 0);
  CHECK(store.scalar("select count(*) from tidb_global_task") == "0");
  CHECK_FALSE(table.submitTask({}, request(std::string(256, 'k'))).existed);
}

TEST_CASE("More slots than the largest known node has are refused, no known node is no error") {
  test::TestStore store;
  auto& table = store->clientTable();
  auto wanted = request("before any node");
  wanted.slots = 999;
  CHECK_FALSE(table.submitTask({}, wanted).existed);
  store.execute("insert into dist_framework_meta (host, role, cpu_count) values ('n1','disttask',0)");
  wanted.key = "node without slots";
  CHECK_FALSE(table.submitTask({}, wanted).existed);
  store.execute("insert into dist_framework_meta (host, role, cpu_count) values ('n2','disttask',4),('n3','disttask',8)"
  );
  wanted.key = "too large";
  std::string message;
  CHECK(codeOf([&] { static_cast<void>(table.submitTask({}, wanted)); }, &message) == ErrorCode::kPrecondition);
  CHECK(message == "999 slots asked for; the largest known node has 8 (disttaskctl node ls shows all)");
  wanted.slots = 8;
  CHECK_FALSE(table.submitTask({}, wanted).existed);
}

TEST_CASE("Cancel works from every unfinished state and says so once") {
  test::TestStore store;
  auto& table = store->clientTable();
  for (const char* state :
       {"pending", "running", "paused", "pausing", "resuming", "modifying", "awaiting-resolution"}) {
    INFO(state);
    const auto id = table.submitTask({}, request(state)).id;
    setState(store, id, state);
    CHECK(table.cancelTask({}, id));
    CHECK(table.findTask({}, id)->state == TaskState::kCancelling);
    CHECK(table.findTask({}, id)->state_update_time > 0);
    CHECK_FALSE(table.cancelTask({}, id));
  }
  for (const char* state : {"cancelling", "reverting", "reverted", "succeed", "failed"}) {
    INFO(state);
    const auto id = table.submitTask({}, request(state)).id;
    setState(store, id, state);
    CHECK_FALSE(table.cancelTask({}, id));
    CHECK(toString(table.findTask({}, id)->state) == state);
  }
}

TEST_CASE("Cancel of a task in history is refused, of an unknown one an error") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("key")).id;
  setState(store, id, "succeed");
  moveToHistory(store, id);
  CHECK_FALSE(table.cancelTask({}, id));
  CHECK(codeOf([&] { static_cast<void>(table.cancelTask({}, TaskId(999))); }) == ErrorCode::kNotFound);
}

TEST_CASE("Tasks are found live and in history, by id and by key") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("key")).id;
  moveToHistory(store, id);
  REQUIRE(table.findTask({}, id));
  CHECK(table.findTask({}, id)->key == "key");
  CHECK(table.findTask({}, id)->meta == R"({"sleep_ms":1})");
  CHECK(table.findTaskByKey({}, "key")->id == id);
  CHECK_FALSE(table.findTask({}, TaskId(999)));
  CHECK_FALSE(table.findTaskByKey({}, "KEY"));
}

TEST_CASE("Lists are newest first, filtered, limited, and drop doubles") {
  test::TestStore store;
  auto& table = store->clientTable();
  std::vector<TaskId> ids;
  for (const char* key : {"a", "b", "c", "d"}) ids.push_back(table.submitTask({}, request(key)).id);
  auto other = request("e");
  other.type = "csv_import";
  ids.push_back(table.submitTask({}, other).id);
  setState(store, ids[1], "succeed");
  moveToHistory(store, ids[1]);
  // A mover that is between its two writes: the row stands in both tables.
  store.execute("insert into tidb_global_task_history select * from tidb_global_task where task_key='c'");
  const auto list = [&](const TaskFilter& filter) {
    std::string keys;
    for (const auto& task : table.listTasks({}, filter)) keys += task.key;
    return keys;
  };
  CHECK(list({}) == "edca");
  TaskFilter filter;
  filter.with_history = true;
  CHECK(list(filter) == "edcba");
  filter.limit = 2;
  CHECK(list(filter) == "ed");
  filter.limit = 100;
  filter.states = {TaskState::kSucceed, TaskState::kFailed};
  CHECK(list(filter) == "b");
  filter.states = {};
  filter.type = "csv_import";
  CHECK(list(filter) == "e");
  filter.type = "x' or '1'='1";
  CHECK(list(filter).empty());
}

TEST_CASE("A task in a state of a newer version does not hide the others") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("a")).id;
  table.submitTask({}, request("b"));
  setState(store, id, "hibernating");
  CHECK(table.listTasks({}, {}).size() == 1);
  std::string message;
  CHECK(codeOf([&] { static_cast<void>(table.findTask({}, id)); }, &message) == ErrorCode::kUnsupported);
  CHECK(message.find("'hibernating'") != std::string::npos);
}

TEST_CASE("Progress counts states per step and sums summaries, live and in history, in order of planning") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("key")).id;
  const auto text = std::to_string(id.value());
  CHECK(table.getProgress({}, id).empty());
  addSubtasks(store, id, 5, 1, 3, "succeed", R"({"row_count":10,"bytes":100,"read_bytes":1})");
  addSubtasks(store, id, 5, 4, 1, "failed", "{}");
  addSubtasks(store, id, 2, 1, 2, "pending", "{}");
  addSubtasks(store, id, 2, 3, 1, "running", R"({"row_count":7,"bytes":9007199254740993,"get_request_count":3})");
  addSubtasks(store, id, 2, 4, 1, "paused", "{}");
  addSubtasks(store, id, 2, 5, 1, "canceled", "{}");
  store.execute("update tidb_background_subtask set summary=null where state='canceled'");
  store.execute(
      "insert into disttask_plan (task_id, kind, after_step, step, planner, token, `cursor`, next_ordinal, complete, "
      "failed, retries)"
      " values (" +
      text + ",'step',-1,5,'n1',4,'',5,1,0,0),(" + text + ",'step',5,2,'n1',4,'',6,0,0,0),(" + text +
      ",'revert',2,null,'n1',4,'',1,0,0,0)"
  );
  // Half of the first step has moved already; one row is in both tables.
  store.execute(
      "insert into tidb_background_subtask_history select * from tidb_background_subtask where step=5 and ordinal<=2"
  );
  store.execute("delete from tidb_background_subtask where step=5 and ordinal=1");
  auto steps = table.getProgress({}, id);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].step == proto::Step(5));
  CHECK(steps[0].plan_complete);
  CHECK(steps[0].counts.succeed == 3);
  CHECK(steps[0].counts.failed == 1);
  CHECK(steps[0].counts.all() == 4);
  CHECK(steps[0].sum == proto::SubtaskSummary{30, 300, 3});
  CHECK(steps[1].step == proto::Step(2));
  CHECK_FALSE(steps[1].plan_complete);
  CHECK(steps[1].counts.pending == 2);
  CHECK(steps[1].counts.running == 1);
  CHECK(steps[1].counts.paused == 1);
  CHECK(steps[1].counts.canceled == 1);
  CHECK(steps[1].sum == proto::SubtaskSummary{7, 9007199254740993, 0});

  store.execute("delete from tidb_background_subtask where step=5 and ordinal<=2");
  moveToHistory(store, id);
  store.execute("delete from disttask_plan");
  steps = table.getProgress({}, id);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].counts.succeed == 3);
  CHECK(steps[0].sum.row_count == 30);
  CHECK(steps[1].plan_complete);
}

TEST_CASE("Progress of adjacent task ids above 2^53 is not confused") {
  test::TestStore store;
  constexpr std::int64_t kBig = 9'007'199'254'740'992;
  addSubtasks(store, TaskId(kBig), 1, 1, 1, "pending", "{}");
  addSubtasks(store, TaskId(kBig + 1), 1, 1, 2, "pending", "{}");
  CHECK(store->clientTable().getProgress({}, TaskId(kBig)).at(0).counts.pending == 1);
  CHECK(store->clientTable().getProgress({}, TaskId(kBig + 1)).at(0).counts.pending == 2);
  CHECK(store->clientTable().listSubtasks({}, TaskId(kBig), {}, 10).size() == 1);
}

TEST_CASE("Subtasks are listed by step and ordinal, live and in history, without doubles") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("key")).id;
  addSubtasks(store, id, 2, 1, 2, "pending", "{}");
  addSubtasks(store, id, 1, 1, 3, "succeed", R"({"row_count":1})");
  store.execute("insert into tidb_background_subtask_history select * from tidb_background_subtask where step=1");
  store.execute("delete from tidb_background_subtask where step=1 and ordinal<>2");
  const auto list = [&](std::optional<Step> step, std::int32_t limit) {
    std::string text;
    for (const auto& subtask : table.listSubtasks({}, id, step, limit)) {
      text += std::to_string(subtask.step.value()) + "." + std::to_string(subtask.ordinal) + " ";
    }
    return text;
  };
  CHECK(list({}, 100) == "1.1 1.2 1.3 2.1 2.2 ");
  CHECK(list(proto::Step(1), 100) == "1.1 1.2 1.3 ");
  CHECK(list(proto::Step(1), 2) == "1.1 1.2 ");
  CHECK(list({}, 4) == "1.1 1.2 1.3 2.1 ");
  CHECK(list(proto::Step(9), 100).empty());
  CHECK(list({}, 0).empty());
  const auto first = table.listSubtasks({}, id, {}, 1).at(0);
  CHECK(first.meta == "meta");
  CHECK(first.exec_id == "n1");
  CHECK(proto::parseSummary(first.summary).row_count == 1);
}

TEST_CASE("A cancelled call of a client throws") {
  test::TestStore store;
  runtime::CancelSource source;
  source.cancel(runtime::CancelCause::kShutdown);
  Call call;
  call.token = source.token();
  auto& table = store->clientTable();
  CHECK(codeOf([&] { static_cast<void>(table.submitTask(call, request("key"))); }) == ErrorCode::kCancelled);
  CHECK(codeOf([&] { static_cast<void>(table.findTask(call, TaskId(1))); }) == ErrorCode::kCancelled);
  CHECK(codeOf([&] { static_cast<void>(table.listTasks(call, {})); }) == ErrorCode::kCancelled);
  CHECK(codeOf([&] { static_cast<void>(table.getProgress(call, TaskId(1))); }) == ErrorCode::kCancelled);
  CHECK(codeOf([&] { static_cast<void>(table.listSubtasks(call, TaskId(1), {}, 1)); }) == ErrorCode::kCancelled);
  CHECK(codeOf([&] { static_cast<void>(table.cancelTask(call, TaskId(1))); }) == ErrorCode::kCancelled);
  CHECK(store.scalar("select count(*) from tidb_global_task") == "0");
}

TEST_CASE("ClientTable cancels one subtask that does not run, and refuses any other", "[db][client_table]") {
  test::TestStore store;
  auto& table = store->clientTable();
  const auto id = table.submitTask({}, request("k")).id;
  setState(store, id, "running");
  int ordinal = 0;
  for (const auto* state : {"pending", "paused", "running", "succeed"}) {
    addSubtasks(store, id, 1, ++ordinal, 1, state, "{}");
  }
  const auto subtasks = table.listSubtasks({}, id, std::nullopt, 10);
  REQUIRE(subtasks.size() == 4);
  const auto idAt = [&](std::size_t at) { return subtasks.at(at).id; };
  CHECK(table.cancelSubtask({}, idAt(0)));
  CHECK(table.cancelSubtask({}, idAt(1)));
  CHECK_FALSE(table.cancelSubtask({}, idAt(0)));
  const auto canceled = table.findSubtask({}, idAt(0));
  REQUIRE(canceled);
  CHECK(canceled->state == proto::SubtaskState::kCanceled);
  CHECK(canceled->task_id == id);
  CHECK(canceled->end_time > 0);
  CHECK_THAT(canceled->error, Catch::StartsWith("subtask 1 of step 1 was cancelled by user "));
  std::string message;
  CHECK(codeOf([&] { table.cancelSubtask({}, idAt(2)); }, &message) == ErrorCode::kPrecondition);
  CHECK_THAT(message, Catch::Contains("is running on node n1") && Catch::Contains("task cancel"));
  CHECK(codeOf([&] { table.cancelSubtask({}, idAt(3)); }, &message) == ErrorCode::kPrecondition);
  CHECK_THAT(message, Catch::Contains("is succeed; only one that is pending or paused"));
  CHECK(codeOf([&] { table.cancelSubtask({}, proto::SubtaskId(999'999'999)); }) == ErrorCode::kNotFound);
  const auto events = table.listEvents({}, id, 10);
  REQUIRE(events.size() == 3);
  CHECK(events.back().event == "cancel-subtask");
  CHECK(events.back().from == "paused");
  CHECK(events.back().to == "canceled");
  CHECK(events.back().subtask_id == idAt(1).value());

  store.execute("update tidb_background_subtask set state='pending' where id=" + std::to_string(idAt(0).value()));
  setState(store, id, "reverting");
  CHECK(codeOf([&] { table.cancelSubtask({}, idAt(0)); }, &message) == ErrorCode::kPrecondition);
  CHECK_THAT(message, Catch::Contains("is reverting, its subtasks end with it"));
  CHECK(table.findSubtask({}, idAt(0))->state == proto::SubtaskState::kPending);
  moveToHistory(store, id);
  CHECK(table.findSubtask({}, idAt(3))->state == proto::SubtaskState::kSucceed);
  CHECK_FALSE(table.findSubtask({}, proto::SubtaskId(999'999'999)));
}
