#include "disttask/base/json.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/proto/node_types.hpp"
#include "disttask/proto/row_error.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::proto;

TEST_CASE("A row error is the contract's JSON and reads back", "[proto][row_error]") {
  CHECK(
      encodeRowError("subtask in running state and is not idempotent") ==
      R"({"class":0,"code":0,"message":"subtask in running state and is not idempotent","rfccode":""})"
  );
  CHECK(encodeRowError("dup", 1062) == R"({"class":0,"code":1062,"message":"dup","rfccode":""})");
  const std::string message = "line 3, \"quoted\"\n\tand é";
  CHECK(decodeRowError(encodeRowError(message)) == message);
  CHECK(decodeRowError(encodeRowError("")).empty());
}

TEST_CASE("A row error written by somebody else reads back", "[proto][row_error]") {
  CHECK(
      decodeRowError(R"({"class":8,"code":1062,"message":"Duplicate entry","rfccode":"kv:1062"})") == "Duplicate entry"
  );
  CHECK(decodeRowError("plain text") == "plain text");
  CHECK(decodeRowError(R"({"code":1})") == R"({"code":1})");
  CHECK(decodeRowError(R"({"message":7})") == R"({"message":7})");
  CHECK(decodeRowError("").empty());
}

TEST_CASE("A row error is cut to its limit and stays valid", "[proto][row_error]") {
  const std::string unit = GENERATE(as<std::string>(), "x", "é", "\"", "\n", "\x01", "\xFF", "\xF0\x9F\x98\x80");
  std::string message;
  while (message.size() < 3 * kMaxErrorBytes) message += unit;
  const auto column = encodeRowError(message);
  CHECK(column.size() <= kMaxErrorBytes);
  CHECK(column.size() > kMaxErrorBytes - 8);
  CHECK(findInvalidUtf8(column) == std::string::npos);
  const auto decoded = Json::parse(column).find("message")->asString();
  CHECK_FALSE(decoded.empty());
  CHECK(toValidUtf8(message).starts_with(decoded));
}

TEST_CASE("A row error of just the limit is not cut", "[proto][row_error]") {
  const auto frame = encodeRowError("").size();
  const std::string fits(kMaxErrorBytes - frame, 'x');
  CHECK(decodeRowError(encodeRowError(fits)) == fits);
  CHECK(decodeRowError(encodeRowError(fits + "yz")) == fits);
}

TEST_CASE("A summary has all counters of the contract and reads back", "[proto][summary]") {
  const SubtaskSummary summary{.row_count = 3, .bytes = 1LL << 40, .read_bytes = 5};
  const auto json = Json::parse(toJson(summary));
  for (const auto* key : {"row_count", "bytes", "read_bytes", "get_request_count", "put_request_count"}) {
    CAPTURE(key);
    REQUIRE(json.find(key) != nullptr);
    CHECK(json.find(key)->isInt());
  }
  CHECK(parseSummary(toJson(summary)) == summary);
}

TEST_CASE("A summary that is missing or malformed counts as zeros", "[proto][summary]") {
  CHECK(parseSummary("") == SubtaskSummary());
  CHECK(parseSummary("{}") == SubtaskSummary());
  CHECK(parseSummary("[1]") == SubtaskSummary());
  CHECK(parseSummary("{\"row_count\":") == SubtaskSummary());
  CHECK(parseSummary(R"({"row_count":"7","bytes":2,"progresses":[{}]})") == SubtaskSummary{.bytes = 2});
}

TEST_CASE("Extra parameters leave defaults out and read back", "[proto][extra_params]") {
  CHECK(toJson(ExtraParams()) == "{}");
  CHECK(parseExtraParams("{}") == ExtraParams());
  const ExtraParams params{.manual_recovery = true, .max_runtime_slots = 4, .parallel_subtasks = 0};
  CHECK(toJson(params) == R"({"manual_recovery":true,"max_runtime_slots":4,"parallel_subtasks":0})");
  CHECK(parseExtraParams(toJson(params)) == params);
  const ExtraParams in_one_step{.max_runtime_slots = 2, .target_steps = {1, 7}};
  CHECK(toJson(in_one_step) == R"({"max_runtime_slots":2,"target_steps":[1,7]})");
  CHECK(parseExtraParams(toJson(in_one_step)) == in_one_step);
  CHECK(parseExtraParams(R"({"target_steps":[1,"x",99999999999]})").target_steps == std::vector<std::int32_t>{1});
}

TEST_CASE("Extra parameters that are malformed or unknown are ignored", "[proto][extra_params]") {
  CHECK(parseExtraParams("") == ExtraParams());
  CHECK(parseExtraParams("null") == ExtraParams());
  CHECK(parseExtraParams("{") == ExtraParams());
  CHECK(
      parseExtraParams(R"({"manual_recovery":1,"max_runtime_slots":"x","parallel_subtasks":99999999999,"new":true})") ==
      ExtraParams()
  );
  CHECK(parseExtraParams(R"({"max_runtime_slots":-3,"parallel_subtasks":-1})") == ExtraParams());
}

TEST_CASE("A node whose row has types of another shape offers nothing and says why", "[proto][node]") {
  std::string reasons;
  CHECK(
      parseNodeTypes(R"({"csv_import":"1.2"})", reasons) == std::map<std::string, std::string>{{"csv_import", "1.2"}}
  );
  CHECK(parseNodeTypes("", reasons).empty());
  CHECK(reasons.empty());
  CHECK_FALSE(isUnreadableRow(reasons));
  const auto why = [](std::string_view text) {
    std::string said;
    CHECK(parseNodeTypes(text, said).empty());
    CHECK(isUnreadableRow(said));
    return describeReasons(said);
  };
  const std::string begin = "column types is no JSON object of names and versions: ";
  CHECK(why("[1]") == begin + "expected object, found array");
  CHECK(why(R"({"a":"1","b":2})") == begin + "expected string, found number");
  CHECK(why("no json").starts_with(begin + "malformed JSON at byte 1: "));
  CHECK_FALSE(isUnreadableRow(R"({"store":{"code":"store_read_only","message":"x"}})"));
}

TEST_CASE("Parameters of a modification stand in the contract's form and read back", "[proto][modify_params]") {
  ModifyParams params{TaskState::kPaused, {.slots = 7, .max_nodes = 2, .priority = 1, .meta = R"({"a":1})"}};
  std::string unknown;
  const auto read = parseModifyParams(toJson(params), unknown);
  REQUIRE(read);
  CHECK(read->prev_state == TaskState::kPaused);
  CHECK(read->change == params.change);
  CHECK(unknown.empty());
  params = {TaskState::kRunning, {.slots = 7, .max_nodes = {}, .priority = {}, .meta = {}}};
  CHECK(toJson(params) == R"({"modifications":[{"to":7,"type":"modify_concurrency"}],"prev_state":"running"})");
}

TEST_CASE(
    "A modification of a kind that we do not have is named, a value out of range is left out", "[proto][modify_params]"
) {
  std::string unknown;
  const auto read = parseModifyParams(
      R"({"prev_state":"running","modifications":[{"type":"modify_batch_size","to":9},{"type":"modify_concurrency","to":0},)"
      R"({"type":"modify_max_node_count","to":"x"},{"to":1},{"type":"modify_priority","to":3}]})",
      unknown
  );
  REQUIRE(read);
  CHECK(read->change == TaskModification{.slots = {}, .max_nodes = {}, .priority = 3, .meta = {}});
  CHECK(unknown == "modify_batch_size, ");
  for (const auto* text :
       {"", "null", "{", "[]", R"({"prev_state":7})", R"({"prev_state":"succeed"})", R"({"prev_state":"?"})"}) {
    CAPTURE(text);
    CHECK_FALSE(parseModifyParams(text, unknown));
  }
}

TEST_CASE("What the store refuses a node is kept in its row, and read as code and message", "[proto][node]") {
  const auto text = encodeReasons({ErrorCode::kStoreReadOnly, "running with --read-only\xff"});
  CHECK(text == "{\"store\":{\"code\":\"store_read_only\",\"message\":\"running with --read-only\xEF\xBF\xBD\"}}");
  CHECK(describeReasons(text) == "store_read_only: running with --read-only\xEF\xBF\xBD");
  CHECK(encodeReasons({ErrorCode::kStoreReadOnly, std::string(5000, 'x')}).size() < 1100);
  CHECK(describeReasons("by another version") == "by another version");
}
