// Command lines that are wrong in every way: each ends with the code that is documented, says what was found and what
// was expected, and does nothing.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;

namespace {

struct Wrong {
  std::vector<std::string> words;
  int exit_code = 2;
  std::vector<std::string> says;  ///< all of it on stderr
};

void check(
    const std::string& program, const std::vector<Wrong>& all, const std::map<std::string, std::string>& environment
) {
  for (const auto& wrong : all) {
    std::vector<std::string> words{program};
    words.insert(words.end(), wrong.words.begin(), wrong.words.end());
    const auto result = runProgram(words, environment);
    std::string line;
    for (const auto& word : wrong.words) line += word + " ";
    INFO(line << "-> " << result.exit_code << ": " << result.err);
    CHECK(result.exit_code == wrong.exit_code);
    CHECK(result.out.empty());
    CHECK_FALSE(result.err.empty());
    for (const auto& text : wrong.says) {
      const bool said = result.err.find(text) != std::string::npos;
      CHECK(said);
    }
  }
}

const std::string kNoStore = "mysql://u@localhost/s?socket=/nowhere/s.sock";

}  // namespace

TEST_CASE("disttaskd refuses each wrong command line and each file that holds no settings") {
  const TempDir folder;
  const auto file = [&](const std::string& name, const std::string& text) { return folder.write(name, text).string(); };
  const auto empty = file("empty.yaml", "");
  const auto binary = file(
      "binary.yaml",
      std::string(
          "\x7f"
          "ELF\0\0\1",
          7
      )
  );
  const auto huge = file("huge.yaml", "# " + std::string(2 << 20, 'x') + "\n");
  const auto list = file("list.yaml", "[1, 2]\n");
  check(
      DISTTASKD,
      {
          {{"--confg", "x"}, 2, {"--confg"}},
          {{"x.yaml"}, 2, {"x.yaml"}},
          {{"--config"}, 2, {"--config"}},
          {{"--config", "/nowhere.yaml"}, 78, {"/nowhere.yaml", "No such file"}},
          {{"--config", folder.path().string()}, 78, {folder.path().string(), "directory"}},
          {{"--config", empty}, 78, {empty, "store"}},
          {{"--config", binary}, 78, {binary}},
          {{"--config", huge}, 78, {huge, "1 MiB"}},
          {{"--config", list}, 78, {list}},
          {{"--check-config", "--config", empty}, 78, {empty, "store"}},
      },
      {}
  );
}

TEST_CASE("disttaskctl refuses each wrong command line, and what it names, before it asks the store") {
  const TempDir folder;
  const auto config = folder.write("d.yaml", "store: {soket: /s}\n").string();
  check(
      DISTTASKCTL,
      {
          {{}, 2, {}},
          {{"dance"}, 2, {"'dance' is no command", "expected", "task"}},
          {{"taks", "ls"}, 2, {"'taks' is no command, did you mean 'task'?"}},
          {{"task", "dance"}, 2, {"'dance' is no command of task", "expected", "submit"}},
          {{"--store", "mysql://u@h/", "task", "shwo", "k"}, 2, {"did you mean 'show'?"}},
          {{"task", "show"}, 2, {"NAME"}},
          {{"task", "show", "a", "b"}, 2, {"b"}},
          {{"--store", kNoStore, "task", "show", "id:abc"}, 2, {"'id:abc' is no id, expected such as id:42"}},
          {{"--store", kNoStore, "task", "show", "id:"}, 2, {"'id:' is no id"}},
          {{"--store", kNoStore, "task", "show", "id:-1"}, 2, {"'id:-1' is no id"}},
          {{"--store", kNoStore, "task", "show", "id:9999999999999999999999"}, 2, {"is no id"}},
          {{"--store", kNoStore, "subtask", "show", "x"}, 2, {"x"}},
          {{"task", "ls", "--limit", "0"}, 2, {"--limit"}},
          {{"task", "ls", "--limit", "many"}, 2, {"--limit"}},
          {{"task", "ls", "--state", "lost"}, 2, {"lost"}},
          {{"task", "submit", "--type", "t", "--priority", "-1"}, 2, {"--priority"}},
          {{"task", "submit", "--type", "t", "--slots", "0"}, 2, {"--slots"}},
          {{"task", "submit", "--type", "t", "--slots", "99999999999"}, 2, {"--slots"}},
          {{"task", "submit", "--type", "t", "--meta", "{"}, 2, {"--meta"}},
          {{"task", "submit", "--type", "t", "--meta", "@/nowhere"}, 3, {"/nowhere"}},
          {{"task", "wait", "k", "--timeout", "5"}, 2, {"--timeout", "needs a unit"}},
          {{"task", "wait", "k", "--timeout", "-5s"}, 2, {"--timeout"}},
          {{"task", "ls", "-o", "xml"}, 2, {"xml"}},
          {{"--store", "nonsense", "task", "ls"}, 2, {"scheme", "mysql://"}},
          {{"--store", "mysql://u@h:0/", "task", "ls"}, 2, {"port", "1 to 65535"}},
          {{"--store", "mysql://u:x@h/", "task", "ls"}, 2, {"DISTTASK_PASSWORD"}},
          {{"--config", "/nowhere.yaml", "task", "ls"}, 78, {"/nowhere.yaml", "No such file"}},
          {{"--config", config, "task", "ls"}, 78, {config, "soket"}},
          {{"plugin", "check", "/nowhere.so"}, 3, {"/nowhere.so", "there is no such file"}},
          {{"plugin", "check", config}, 5, {config}},
          {{"plugin", "new", "Bad Name"}, 2, {"Bad Name"}},
          {{"completion", "tcsh"}, 2, {"tcsh"}},
      },
      {{"DISTTASK_STORE", ""}}
  );
}

TEST_CASE("disttaskctl says that the store cannot be reached, with 69, and which file of a password it cannot read") {
  const TempDir folder;
  const auto open = folder.write("open", "hush\n");
  std::filesystem::permissions(open, std::filesystem::perms(0644));
  check(
      DISTTASKCTL,
      {
          {{"--store", kNoStore, "task", "ls"}, 69, {"/nowhere/s.sock"}},
          {{"--store", kNoStore, "node", "ls"}, 69, {"/nowhere/s.sock"}},
          {{"--store", kNoStore, "--password-file", "/nowhere/pw", "task", "ls"}, 78, {"/nowhere/pw"}},
          {{"--store", kNoStore, "--password-file", open.string(), "task", "ls"}, 78, {open.string()}},
      },
      {{"DISTTASK_STORE", ""}}
  );
}
