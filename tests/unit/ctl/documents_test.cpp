// Help, completions and manual pages come from one tree: each command and option is in all of them.
#include "args.hpp"

#include "args/describe.hpp"
#include "args/tree.hpp"
#include "output/man_page.hpp"
#include "output/screen.hpp"
#include "output/shell_completion.hpp"
#include "support/child_process.hpp"
#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>

#include <filesystem>
#include <functional>
#include <sstream>

using namespace disttask::ctl;
using Catch::Matchers::Contains;

namespace {

CommandDoc allCommands() {
  ArgumentTree tree;
  addAllCommands(tree);
  return describeCommands(tree.root());
}

void walk(const CommandDoc& command, const std::function<void(const CommandDoc&)>& each) {
  each(command);
  for (const auto& child : command.commands) walk(child, each);
}

std::string helpOf(const CommandDoc& command) {
  std::istringstream path(command.path);
  std::vector<std::string> words;
  for (std::string word; path >> word;) words.push_back(word);
  words.erase(words.begin());
  words.emplace_back("--help");
  return std::get<EarlyEnd>(parseArguments(words)).text;
}

std::string withoutBackslashes(std::string text) {
  std::erase(text, '\\');
  return text;
}

}  // namespace

TEST_CASE("Every command and option is in its help, in the manual and in each completion") {
  const auto root = allCommands();
  std::string manual;
  for (const auto& page : manPages(root)) manual += withoutBackslashes(page.text);
  const auto bash = bashCompletion(root);
  const auto fish = fishCompletion(root);
  int commands = 0;
  walk(root, [&](const CommandDoc& command) {
    CAPTURE(command.path);
    ++commands;
    CHECK_FALSE(command.help.empty());
    const auto help = helpOf(command);
    CHECK_THAT(manual, Contains(command.path));
    CHECK_THAT(bash, Contains(command.name));
    for (const auto& option : command.options) {
      CAPTURE(option.flags.back());
      CHECK_FALSE(option.help.empty());
      for (const auto& flag : option.flags) {
        CHECK_THAT(help, Contains(flag));
        CHECK_THAT(manual, Contains("fB" + flag + "fR"));
        CHECK_THAT(bash, Contains(flag));
      }
      if (option.flags.back().rfind("--", 0) == 0) CHECK_THAT(fish, Contains(" -l " + option.flags.back().substr(2)));
    }
    for (const auto& argument : command.arguments) CHECK_THAT(help, Contains(argument.value));
  });
  CHECK(commands > 35);
}

TEST_CASE("Completion offers the names of the store, and runs nothing of what is in them") {
  const disttask::test::TempDir folder;
  const auto script = folder.write("completion", bashCompletion(allCommands()));
  const auto mark = (folder / "ran").string();
  const auto program = folder.write(
      "try",
      "disttaskctl() { printf '%s\\n' plain 'p$(touch " + mark + ")' '`touch " + mark + "`' 'p two words'; }\n. " +
          script.string() +
          "\nCOMP_WORDS=(disttaskctl task show p); COMP_CWORD=3; _disttaskctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
  );
  disttask::test::ChildProcess bash({"/bin/bash", program.string()});
  REQUIRE(bash.wait(std::chrono::seconds(20)));
  std::istringstream said(bash.output());
  std::vector<std::string> lines;
  for (std::string line; std::getline(said, line);) lines.push_back(line);
  CHECK_FALSE(std::filesystem::exists(mark));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "plain");
  CHECK_THAT(lines[1], Contains("p\\$\\(touch"));
  CHECK(lines[2] == "p\\ two\\ words");
}

TEST_CASE("The description of a command has its values, choices and arguments") {
  const auto root = allCommands();
  const CommandDoc* submit = nullptr;
  walk(root, [&](const CommandDoc& command) {
    if (command.path == "disttaskctl task submit") submit = &command;
  });
  REQUIRE(submit != nullptr);
  const auto find = [&](const std::string& flag) {
    for (const auto& option : submit->options) {
      if (option.flags.back() == flag) return option;
    }
    FAIL("no option " << flag);
    return OptionDoc{};
  };
  CHECK(find("--type").is_required);
  CHECK(find("--slots").value == "INT in [1 - 4096]");
  CHECK(find("--timeout").value == "TIME");
  CHECK(find("--wait").value.empty());
  CHECK(find("--validate").choices == std::vector<std::string>{"auto", "require", "off"});
  CHECK_THAT(bashCompletion(root), Contains("$(disttaskctl task ls -o name 2>/dev/null)"));
}

TEST_CASE("Text in a manual page is no request of troff") {
  CommandDoc root{"x", "x", ".it is 'quoted' \\n", {}, {}, {}, "a\n.b"};
  const auto page = manPages(root).front().text;
  CHECK_THAT(page, Contains("\\&.it is 'quoted' \\en") && Contains("a\n\\&.b"));
}

TEST_CASE("A view is drawn over the one before, and cut to the rows of the terminal") {
  Redraw redraw;
  CHECK(redraw.update("a\nb\n", 24, 80) == "\x1b[Ja\nb\n");
  CHECK(redraw.update("c\n", 24, 80) == "\x1b[2A\r\x1b[Jc\n");
  CHECK(redraw.update("1\n2\n3\n4\n5\n", 4, 80) == "\x1b[1A\r\x1b[J1\n2\n… 3 more lines\n");
  CHECK(redraw.update("x\n", 3, 80) == "\x1b[2A\r\x1b[Jx\n");
}

TEST_CASE("A view goes over all rows that lines of the one before took, also in a terminal that became narrower") {
  Redraw redraw;
  CHECK(redraw.update("\x1b[32mabcdef\x1b[0m\nab\n", 24, 4) == "\x1b[J\x1b[32mabcdef\x1b[0m\nab\n");
  CHECK(redraw.update("abcdef\n", 24, 4) == "\x1b[3A\r\x1b[Jabcdef\n");
  CHECK(redraw.update("abcd\n", 24, 2) == "\x1b[3A\r\x1b[Jabcd\n");
  // Two of three lines take four of the four rows there are: one of these is for the last line.
  CHECK(redraw.update("abcd\nabcd\nabcd\n", 5, 2) == "\x1b[2A\r\x1b[Jabcd\n… 2 more lines\n");
  CHECK(redraw.update("数据\n", 24, 2) == "\x1b[3A\r\x1b[J数据\n");
}
