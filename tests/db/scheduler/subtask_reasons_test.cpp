// Why one subtask does not run now, on a real store.
#include "disttask/base/error.hpp"
#include "reasons_fixture.hpp"

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using reasons::Code;

namespace {

/// A running task `t` with one subtask on node `b`, in this state.
class OneSubtask : public Waiting {
 public:
  explicit OneSubtask(const std::string& state) {
    addNode("b");
    id = addRunning("t").id;
    subtask = addSubtask(id, 1, 5, "b", state);
  }
  std::vector<reasons::Reason> why() { return whySubtask(id, subtask); }
  reasons::Reason find(Code code) { return findOfSubtask(id, subtask, code); }
  reasons::Reason only() {
    const auto all = why();
    CHECK(all.size() == 1);
    return all.front();
  }

  proto::TaskId id;
  std::int64_t subtask = 0;
};

}  // namespace

TEST_CASE("A pending subtask says what is with its node", "[db][scheduler][reasons]") {
  OneSubtask waiting("pending");
  SECTION("nothing") {
    CHECK(waiting.only().code == Code::kAboutToStart);
    CHECK(waiting.only().text == "it waits on b, which has free slots: it is about to start");
  }
  SECTION("it is dead") {
    waiting.set("b", "life=0");
    CHECK(waiting.only().code == Code::kNodeGone);
    CHECK(waiting.only().text == "it waits on b, which is not alive, to be moved");
  }
  SECTION("it is dead, and nobody is there to move it") {
    waiting.set("b", "life=0");
    REQUIRE(waiting.scheduler().releaseOwnership(SchedulerFixture::call(), waiting.life));
    CHECK(waiting.why().front().code == Code::kNoOwner);
    waiting.find(Code::kNodeGone);
  }
  SECTION("it is dead, and no other one fits") {
    waiting.store().execute("update disttask_node set life=0");
    waiting.find(Code::kNoNode);
    waiting.find(Code::kNodeGone);
  }
  SECTION("it is cordoned, and works off what it has") {
    waiting.set("b", "wanted='cordoned'");
    CHECK_THAT(waiting.only().text, Contains("b (cordoned, it works off what it has), which has free slots"));
  }
  SECTION("it drains") {
    waiting.set("b", "wanted='draining'");
    CHECK(waiting.only().code == Code::kNodeUnfit);
    CHECK_THAT(waiting.only().text, Contains("b, which is draining"));
  }
  SECTION("it is in another scope") {
    waiting.store().execute("update dist_framework_meta set role='elsewhere' where host='b'");
    CHECK_THAT(waiting.find(Code::kNodeUnfit).text, Contains("is in another scope"));
  }
  SECTION("it is full with tasks, some of higher rank") {
    const auto higher = waiting.addRunning("higher").id;
    waiting.store().execute("update tidb_global_task set priority=1" + waiting.inTask(higher));
    const auto lower = waiting.addRunning("lower").id;
    waiting.addSubtask(higher, 1, 1, "b", "running", 6);
    waiting.addSubtask(lower, 1, 1, "b", "running", 8);
    CHECK(waiting.only().code == Code::kSlotsShort);
    CHECK_THAT(waiting.only().text, Contains("held by higher (2, of higher rank), lower (2)"));
  }
  SECTION("others of its task run there, and some are ahead of it") {
    waiting.addSubtask(waiting.id, 1, 1, "b", "running", 6);
    for (const int ordinal : {2, 3, 9}) waiting.addSubtask(waiting.id, 1, ordinal, "b", "pending");
    CHECK(waiting.only().code == Code::kOwnSubtasks);
    CHECK_THAT(waiting.only().text, Contains("2 subtasks of its own are ahead of it there"));
  }
  SECTION("one is ahead of it") {
    waiting.addSubtask(waiting.id, 1, 1, "b", "running", 6);
    waiting.addSubtask(waiting.id, 1, 2, "b", "pending");
    CHECK_THAT(waiting.only().text, Contains("1 subtask of its own is ahead of it there"));
  }
}

TEST_CASE(
    "A pending subtask that was tried before says what came of it and until when it rests", "[db][scheduler][reasons]"
) {
  OneSubtask waiting("pending");
  SECTION("back-off") {
    waiting.note(waiting.id, waiting.subtask, "2, 0, floor(unix_timestamp(now(3))*1000)+50000, 'no route', null");
    const auto reason = waiting.only();
    CHECK(reason.code == Code::kBackOff);
    CHECK(reason.text == "it waits after try 2: no route");
    CHECK(reason.until.value() >= std::stoll(waiting.text("select unix_timestamp()")) + 40);
  }
  SECTION("back-off that is over") {
    waiting.note(waiting.id, waiting.subtask, "2, 0, 1000, 'no route', null");
    CHECK(waiting.only().code == Code::kAboutToStart);
  }
  SECTION("back-off on a node that died") {
    waiting.note(waiting.id, waiting.subtask, "2, 0, floor(unix_timestamp(now(3))*1000)+50000, 'no route', null");
    waiting.set("b", "life=0");
    waiting.find(Code::kBackOff);
    waiting.find(Code::kNodeGone);
  }
  SECTION("it ended its node") {
    waiting.note(waiting.id, waiting.subtask, "0, 2, 0, null, null");
    CHECK_THAT(waiting.only().text, Contains("it ended its node 2 times"));
  }
  SECTION("handed back") {
    waiting.note(waiting.id, waiting.subtask, "0, 0, 0, 'no such file', '[\"b\"]'");
    CHECK(waiting.only().text == "it was handed back: no such file");
  }
}

TEST_CASE("A subtask of a task that does not work says what its task waits for", "[db][scheduler][reasons]") {
  const std::string state = GENERATE("pending", "paused");
  OneSubtask waiting(state);
  const std::pair<const char*, Code> states[] = {
      {"paused", Code::kPaused},
      {"awaiting-resolution", Code::kResolution},
      {"pausing", Code::kPausing},
      {"resuming", Code::kResuming},
      {"modifying", Code::kModifying},
      {"cancelling", Code::kCancelling},
      {"reverting", Code::kReverting}};
  for (const auto& [text, code] : states) {
    waiting.store().execute(
        "update tidb_global_task set state='" + std::string(text) + "'" + waiting.inTask(waiting.id)
    );
    CHECK(waiting.only().code == code);
    CHECK_THAT(waiting.only().text, Catch::StartsWith("its task: "));
  }
  if (state != "paused") return;
  waiting.store().execute("update tidb_global_task set state='running'" + waiting.inTask(waiting.id));
  CHECK(waiting.only().code == Code::kResuming);
  REQUIRE(waiting.scheduler().releaseOwnership(SchedulerFixture::call(), waiting.life));
  CHECK(waiting.why().front().code == Code::kNoOwner);  // nobody lets it go on
  waiting.find(Code::kResuming);
}

TEST_CASE("A subtask whose task only the owner can lead on says that nobody does", "[db][scheduler][reasons]") {
  const std::string state = GENERATE("pausing", "resuming", "modifying", "cancelling", "reverting");
  OneSubtask waiting("pending");
  waiting.store().execute("update tidb_global_task set state='" + state + "'" + waiting.inTask(waiting.id));
  REQUIRE(waiting.scheduler().releaseOwnership(SchedulerFixture::call(), waiting.life));
  CAPTURE(state);
  REQUIRE(waiting.why().size() == 2);
  CHECK(waiting.why().front().code == Code::kNoOwner);
  CHECK_THAT(waiting.why().back().text, Catch::StartsWith("its task: "));
}

TEST_CASE("A subtask that did not end before its task says that the task has ended", "[db][scheduler][reasons]") {
  const std::string state = GENERATE("pending", "running", "paused");
  OneSubtask waiting(state);
  waiting.store().execute("update tidb_global_task set state='failed'" + waiting.inTask(waiting.id));
  CHECK(waiting.only().code == Code::kEnded);
  CHECK(waiting.only().text == "its task has ended: failed");
}

TEST_CASE("A subtask names one of its own that is ahead of it", "[db][scheduler][reasons]") {
  OneSubtask waiting("pending");
  waiting.addSubtask(waiting.id, 1, 1, "b", "running", 6);
  waiting.addSubtask(waiting.id, 1, 2, "b", "pending");
  CHECK_THAT(waiting.only().text, Contains("; 1 subtask of its own is ahead of it there"));
}

TEST_CASE("An open subtask of a task that has ended says so", "[db][scheduler][reasons]") {
  OneSubtask waiting("pending");
  waiting.store().execute("update tidb_global_task set state='reverted'" + waiting.inTask(waiting.id));
  CHECK(waiting.only().code == Code::kEnded);
  CHECK(waiting.only().text == "its task has ended: reverted");
}

TEST_CASE(
    "A subtask of a task that only the owner leads on names the missing owner first", "[db][scheduler][reasons]"
) {
  OneSubtask waiting("paused");
  REQUIRE(waiting.scheduler().releaseOwnership(SchedulerFixture::call(), waiting.life));
  const auto become = [&](const std::string& state) {
    waiting.store().execute("update tidb_global_task set state='" + state + "'" + waiting.inTask(waiting.id));
  };
  for (const auto* state : {"pausing", "resuming", "modifying", "cancelling", "reverting"}) {
    CAPTURE(state);
    become(state);
    CHECK(waiting.why().size() == 2);
    CHECK(waiting.why().front().code == Code::kNoOwner);
  }
  // Somebody has to ask for these two: no owner is missing for them.
  for (const auto* state : {"paused", "awaiting-resolution"}) {
    CAPTURE(state);
    become(state);
    CHECK(waiting.only().code != Code::kNoOwner);
  }
  become("running");
  CHECK(waiting.why().front().code == Code::kNoOwner);
  CHECK(waiting.find(Code::kResuming).text == "it was paused and is about to go on with its task");
}

TEST_CASE("A subtask that runs on the silent owner does not run", "[db][scheduler][reasons]") {
  OneSubtask waiting("running");
  waiting.store().execute("update disttask_owner set exec_id='b'");
  waiting.store().execute("update disttask_owner_lease set renewed_at=current_timestamp() - interval 40 second");
  CHECK(waiting.why().front().code == Code::kOwnerSilent);
  CHECK(waiting.why().back().code == Code::kNodeGone);
}

TEST_CASE("A subtask that runs says where, and what is with a node that died with it", "[db][scheduler][reasons]") {
  OneSubtask waiting("running");
  CHECK(waiting.only().code == Code::kRunning);
  CHECK(waiting.only().text == "it runs on b");
  waiting.set("b", "life=0");
  CHECK(waiting.only().code == Code::kNodeGone);
  waiting.set("a", "life=0");
  CHECK(waiting.why().front().code == Code::kOwnerSilent);
}

TEST_CASE(
    "A subtask that has ended says how, live and in history, and an unknown one is refused", "[db][scheduler][reasons]"
) {
  OneSubtask waiting("failed");
  waiting.store().execute(
      "update tidb_background_subtask set error='{\"class\":0,\"code\":0,\"message\":\"line 7\",\"rfccode\":\"\"}'"
  );
  CHECK(waiting.only().code == Code::kEnded);
  CHECK(waiting.only().text == "it has ended: failed, line 7");
  waiting.store().execute("insert into tidb_background_subtask_history select * from tidb_background_subtask");
  waiting.store().execute("delete from tidb_background_subtask");
  CHECK(waiting.only().text == "it has ended: failed, line 7");
  const auto other = waiting.addTask("other").id;
  try {
    static_cast<void>(waiting.whySubtask(other, waiting.subtask));
    FAIL("it belongs to another task");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kNotFound);
    CHECK(e.error().message() == "task 'other' has no subtask " + std::to_string(waiting.subtask));
  }
}

TEST_CASE("An answer has a JSON form that says whose reasons they are", "[db][scheduler][reasons]") {
  OneSubtask waiting("pending");
  waiting.note(waiting.id, waiting.subtask, "2, 0, floor(unix_timestamp(now(3))*1000)+50000, 'no route', null");
  const auto call = SchedulerFixture::call();
  const auto task = waiting.task(waiting.id);
  const auto of_task = toJson(reasons::whyTask(waiting.sources(), call, task));
  CHECK(of_task.find("id")->asInt() == waiting.id.value());
  CHECK(of_task.find("key")->asString() == "t");
  CHECK(of_task.find("state")->asString() == "running");
  CHECK(of_task.find("step")->asInt() == 1);
  CHECK(of_task.find("subtask") == nullptr);
  const auto json = toJson(reasons::whySubtask(waiting.sources(), call, task, proto::SubtaskId(waiting.subtask)));
  const auto* subtask = json.find("subtask");
  REQUIRE(subtask != nullptr);
  CHECK(subtask->find("id")->asInt() == waiting.subtask);
  CHECK(subtask->find("ordinal")->asInt() == 5);
  CHECK(subtask->find("node")->asString() == "b");
  CHECK(subtask->find("state")->asString() == "pending");
  const auto& reason = json.find("reasons")->asArray().at(0);
  CHECK(reason.find("code")->asString() == "back_off");
  CHECK(reason.find("text")->asString() == "it waits after try 2: no route");
  CHECK(reason.find("until")->asString().size() == 20);
}
