#include "args.hpp"

#include "args/node.hpp"
#include "args/plugin.hpp"
#include "args/schema.hpp"
#include "args/task.hpp"
#include <catch2/catch.hpp>

using namespace disttask::ctl;
using Words = std::vector<std::string>;

namespace {

template <typename T>
T parseAs(const Words& words) {
  auto parsed = parseArguments(words);
  if (const auto* end = std::get_if<EarlyEnd>(&parsed)) FAIL(end->text);
  return std::any_cast<T>(std::get<Arguments>(parsed).command.options);
}

EarlyEnd endOf(const Words& words) {
  auto parsed = parseArguments(words);
  REQUIRE(std::holds_alternative<EarlyEnd>(parsed));
  return std::get<EarlyEnd>(parsed);
}

}  // namespace

TEST_CASE("task submit reads all of its options") {
  const auto submit =
      parseAs<TaskSubmit>({"task",        "submit",     "--type",    "csv_import",  "--key", "k",
                           "--if-absent", "--meta",     "{}",        "--slots",     "2",     "--parallel",
                           "auto",        "--priority", "7",         "--max-nodes", "3",     "--scope",
                           "s",           "--wait",     "--timeout", "90s"});
  CHECK(submit.type == "csv_import");
  CHECK(submit.key == "k");
  CHECK(submit.if_absent);
  CHECK(submit.slots == 2);
  CHECK(submit.parallel == 0);
  CHECK(submit.priority == 7);
  CHECK(submit.max_nodes == 3);
  CHECK(submit.scope == "s");
  CHECK(submit.wait.wait);
  CHECK(submit.wait.timeout == std::chrono::seconds(90));
  CHECK(parseAs<TaskSubmit>({"task", "submit", "--type", "t", "--parallel", "4"}).parallel == 4);
  CHECK_FALSE(parseAs<TaskSubmit>({"task", "submit", "--type", "t"}).parallel);
  CHECK(parseAs<TaskSubmit>({"task", "submit", "--type", "t"}).scope == "disttask");
}

TEST_CASE("task modify takes who checks a meta only with a meta") {
  const auto modify =
      parseAs<TaskModify>({"task", "modify", "k", "--meta", "{}", "--validate", "require", "--plugin", "p.so"});
  CHECK(modify.check.validate == Validate::kRequire);
  CHECK(modify.check.plugin == "p.so");
  CHECK(endOf({"task", "modify", "k", "--slots", "2", "--validate", "off"}).exit_code == 2);
  CHECK(endOf({"task", "modify", "k", "--meta", "{}", "--plugin", "p.so", "--plugins-dir", "d"}).exit_code == 2);
}

TEST_CASE("task resolve takes exactly one decision") {
  using disttask::storage::Resolution;
  CHECK(parseAs<TaskResolve>({"task", "resolve", "k", "--retry"}).resolution == Resolution::kRetry);
  CHECK(parseAs<TaskResolve>({"task", "resolve", "k", "--skip"}).resolution == Resolution::kSkip);
  CHECK(parseAs<TaskResolve>({"task", "resolve", "--fail", "k"}).resolution == Resolution::kFail);
  CHECK(parseAs<TaskResolve>({"task", "resolve", "k", "--fail"}).name == "k");
  CHECK(endOf({"task", "resolve", "k"}).exit_code == 2);
  CHECK(endOf({"task", "resolve", "k", "--retry", "--skip"}).exit_code == 2);
}

TEST_CASE("Common options are taken before and after the command") {
  for (const auto& words :
       {Words{"--store", "mysql://u@h/", "-o", "json", "node", "ls"},
        Words{"node", "ls", "-o", "json", "--store", "mysql://u@h/"}}) {
    const auto arguments = std::get<Arguments>(parseArguments(words));
    CHECK(arguments.common.store == "mysql://u@h/");
    CHECK(arguments.common.output == Output::kJson);
    CHECK(std::any_cast<NodeLs>(&arguments.command.options) != nullptr);
  }
}

TEST_CASE("Output, colours, times, consent and quiet are chosen for every command") {
  const auto common = [](const Words& words) { return std::get<Arguments>(parseArguments(words)).common; };
  const auto plain = common({"node", "ls"});
  CHECK(plain.output == Output::kTable);
  CHECK(plain.color == ColorChoice::kAuto);
  CHECK(plain.time_format == TimeFormat::kAuto);
  CHECK_FALSE(plain.yes);
  CHECK_FALSE(plain.quiet);
  CHECK(common({"node", "ls", "-o", "jsonl"}).output == Output::kJsonl);
  CHECK(common({"node", "ls", "-o", "name"}).output == Output::kName);
  CHECK(common({"node", "ls", "--color", "never"}).color == ColorChoice::kNever);
  CHECK(common({"node", "ls", "--time-format", "iso"}).time_format == TimeFormat::kIso);
  CHECK(common({"node", "forget", "n", "-y", "-q"}).yes);
  CHECK(common({"-q", "node", "forget", "n"}).quiet);
  CHECK(endOf({"node", "ls", "--time-format", "raw"}).exit_code == 2);
}

TEST_CASE("An option is not taken as the value of the one before it") {
  CHECK_THAT(
      endOf({"task", "submit", "--type", "t", "--key", "--wait"}).text,
      Catch::Contains("--key") && Catch::Contains("'--wait' looks like an option")
  );
  CHECK(endOf({"node", "ls", "--store", "--config"}).exit_code == 2);
  CHECK(endOf({"task", "submit", "--type", "t", "--parallel", "--wait"}).exit_code == 2);
  CHECK(parseAs<TaskSubmit>({"task", "submit", "--type", "t", "--key", "-x"}).key == "-x");
  CHECK(parseAs<TaskSubmit>({"task", "submit", "--type", "t", "--meta", "---\na: 1"}).meta == "---\na: 1");
}

TEST_CASE("Every command is reached by its noun and verb") {
  CHECK(parseAs<SchemaInstall>({"schema", "install", "--connection", "c"}).connection == "c");
  (void)parseAs<SchemaStatus>({"schema", "status"});
  (void)parseAs<SchemaDump>({"schema", "dump"});
  CHECK(parseAs<NodeEvents>({"node", "events", "n"}).node == "n");
  CHECK(parseAs<TaskEvents>({"task", "events", "k", "--limit", "7"}).limit == 7);
  CHECK(parseAs<TaskSubmit>({"task", "submit", "--type", "t", "--manual-recovery"}).manual_recovery);
  CHECK(parseAs<TaskLs>({"task", "ls", "--state", "running", "--state", "pending", "-a"}).states.size() == 2);
  CHECK(parseAs<TaskShow>({"task", "show", "id:42"}).name == "id:42");
  CHECK(parseAs<TaskWhy>({"task", "why", "id:42"}).name == "id:42");
  CHECK_FALSE(parseAs<TaskWhy>({"task", "why", "id:42"}).subtask);
  CHECK(parseAs<TaskWhy>({"task", "why", "k", "--subtask", "7"}).subtask == 7);
  CHECK(parseAs<TaskWait>({"task", "wait", "k", "--timeout", "1m"}).wait.timeout == std::chrono::minutes(1));
  CHECK(parseAs<TaskCancel>({"task", "cancel", "k", "--wait"}).wait.wait);
  CHECK(parseAs<TaskSubtasks>({"task", "subtasks", "k", "--step", "2"}).step == 2);
  CHECK(parseAs<NodeCordon>({"node", "cordon", "n1", "-m", "disk"}).message == "disk");
  CHECK(parseAs<NodeUncordon>({"node", "uncordon", "n1"}).node == "n1");
  CHECK(parseAs<NodeForget>({"node", "forget", "n1"}).node == "n1");
  CHECK_FALSE(parseAs<NodeForget>({"node", "forget", "n1"}).reassign);
  const auto reassign = parseAs<NodeForget>({"node", "forget", "n1", "--reassign", "--timeout", "5s"});
  CHECK(reassign.reassign);
  CHECK(reassign.timeout == std::chrono::seconds(5));
  (void)parseAs<PluginLs>({"plugin", "ls"});
  CHECK(parseAs<PluginCheck>({"plugin", "check", "x.so"}).file == "x.so");
}

TEST_CASE("task modify reads its wait and the limit of it") {
  const auto modify = parseAs<TaskModify>({"task", "modify", "k", "--slots", "3", "--wait", "--timeout", "5s"});
  CHECK(modify.slots == 3);
  CHECK(modify.wait.wait);
  CHECK(modify.wait.timeout == std::chrono::seconds(5));
}

TEST_CASE("node drain reads its deadline, its wait and its message") {
  const auto drain =
      parseAs<NodeDrain>({"node", "drain", "n1", "--deadline", "10m", "--wait", "--timeout", "1h", "-m", "new disk"});
  CHECK(drain.node == "n1");
  CHECK(drain.deadline == std::chrono::minutes(10));
  CHECK(drain.wait.wait);
  CHECK(drain.wait.timeout == std::chrono::hours(1));
  CHECK(drain.message == "new disk");
  CHECK_FALSE(parseAs<NodeDrain>({"node", "drain", "n1"}).deadline);
  CHECK(endOf({"node", "drain"}).exit_code == 2);
  CHECK_THAT(endOf({"node", "drain", "n1", "--deadline", "soon"}).text, Catch::Contains("--deadline"));
}

TEST_CASE("Wrong use ends with code 2 and says what is wrong") {
  CHECK(endOf({}).exit_code == 2);
  CHECK(endOf({"task"}).exit_code == 2);
  CHECK(endOf({"task", "submit"}).exit_code == 2);
  CHECK(endOf({"task", "dance"}).exit_code == 2);
  CHECK(endOf({"node", "ls", "-o", "xml"}).exit_code == 2);
  CHECK_THAT(
      endOf({"task", "ls", "--state", "running!"}).text, Catch::Contains("--state: running! not in {pending,running,")
  );
  CHECK_THAT(endOf({"task", "wait", "k", "--timeout", "30"}).text, Catch::Contains("needs a unit"));
  CHECK_THAT(
      endOf({"task", "submit", "--type", "t", "--parallel", "lots"}).text, Catch::Contains("expected auto or a number")
  );
  CHECK_THAT(
      endOf({}).text, Catch::StartsWith("disttaskctl: a command is missing, expected one of task, subtask, node")
  );
  CHECK_THAT(endOf({"frob"}).text, Catch::StartsWith("disttaskctl: 'frob' is no command, expected task, subtask,"));
  CHECK_THAT(
      endOf({"task", "dance"}).text,
      Catch::StartsWith("disttaskctl task: 'dance' is no command of task, expected submit, ls,") &&
          Catch::EndsWith("More: disttaskctl task --help\n")
  );
  CHECK_THAT(
      endOf({"node", "undrain", "n1"}).text,
      Catch::Contains("'undrain' is no command of node, did you mean 'uncordon'?")
  );
  CHECK_THAT(endOf({"-o", "json", "node"}).text, Catch::StartsWith("disttaskctl node: a command is missing"));
  CHECK_THAT(endOf({"task", "show"}).text, Catch::StartsWith("disttaskctl task show: NAME is required\n"));
  CHECK_THAT(
      endOf({"task", "ls", "-o"}).text, Catch::StartsWith("disttaskctl task ls: --output: a value is missing\n")
  );
  CHECK_THAT(
      endOf({"task", "resolve", "k"}).text,
      Catch::StartsWith("disttaskctl task resolve: ") && Catch::Contains("--retry,--skip,--fail")
  );
}

TEST_CASE("Help and version go to stdout with code 0") {
  CHECK(endOf({"--help"}).exit_code == 0);
  CHECK_THAT(
      endOf({"--help"}).text,
      Catch::Contains("Exit codes:") && Catch::Contains("never on the command line", Catch::CaseSensitive::No)
  );
  CHECK_THAT(endOf({"--version"}).text, Catch::StartsWith("disttaskctl "));
  CHECK_THAT(endOf({"task", "submit", "--help"}).text, Catch::Contains("--if-absent"));
  CHECK_THAT(endOf({"schema", "install", "--help"}).text, Catch::Contains("ledger of csv_import and sql_batch"));
  CHECK_THAT(endOf({"task", "cancel", "--help"}).text, Catch::Contains("the cancel goes on"));
}
