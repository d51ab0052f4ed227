// A plugin that plugins.list names and that cannot be used ends the daemon, before it asks the store.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A folder of plugins as they are installed.
class PluginFolder {
 public:
  /// Puts a file there, and returns its path.
  [[nodiscard]] std::string put(const std::string& name, const std::string& bytes) const {
    const auto file = folder_.write(name, bytes);
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(0644));
    return file.string();
  }
  [[nodiscard]] std::string fixture(const std::string& name) const { return put(name + ".so", bytesOf(name)); }
  [[nodiscard]] static std::string bytesOf(const std::string& name) {
    return readFile(std::string(PLUGIN_FIXTURES) + "/" + name + ".so");
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  const TempDir folder_;
};

}  // namespace

TEST_CASE("A plugin of plugins.list that is refused ends disttaskd with 78 and one sentence, before it is ready") {
  const PluginFolder plugins;
  const auto good = plugins.fixture("good");
  struct Row {
    std::string file;
    std::string says;  ///< behind "plugin FILE "
  };
  for (const auto& [file, says] :
       {Row{plugins.path("missing.so"), "cannot be found: No such file or directory"},
        Row{plugins.put("text.so", "this is not ELF\n"),
            "cannot be loaded: the file has 16 bytes, at least 64 are needed"},
        Row{plugins.put("cut.so", PluginFolder::bytesOf("good").substr(0, 4096)),
            "cannot be loaded: the file has 4096 bytes, a segment of "},
        Row{plugins.fixture("no_symbol"), "is refused: it does not export disttask_plugin_entry_v0"},
        Row{plugins.fixture("wrong_magic"), "is refused: magic is "},
        Row{plugins.fixture("other_major"), "is refused: "},
        Row{plugins.fixture("null_descriptor"), "is refused: "},
        Row{plugins.fixture("init_fails"), "is refused: its init failed: the licence file is missing"},
        Row{plugins.fixture("configure_refuses"),
            "is refused: task type 'fixture' refuses its configuration (plugins.config.fixture): color: blue is "
            "needed, "
            "found {}"}}) {
    const TempDir folder;
    NotifySocket notify(folder / "notify");
    // A good one beside it changes nothing.
    const auto list = file == plugins.path("configure_refuses.so") ? file : good + ", " + file;
    const auto settings = folder.write(
        "d.yaml",
        "node: {id: n, state_dir: " + folder.path().string() +
            "}\nstore: {socket: /nowhere.sock}\nhttp: {listen: ''}\nplugins: {list: [" + list + "]}\n"
    );
    const auto result = runProgram(
        {DISTTASKD, "--config", settings.string()}, {{"NOTIFY_SOCKET", notify.path()}, {"JOURNAL_STREAM", ""}}
    );
    INFO(file << "\n" << result.err);
    CHECK(result.exit_code == 78);
    CHECK_FALSE(notify.has("READY=1"));
    const auto at = result.err.rfind("disttaskd: ");
    REQUIRE(at != std::string::npos);
    const auto last = result.err.substr(at);
    CHECK_THAT(last, Catch::StartsWith("disttaskd: plugins.list: plugin " + file + " " + says));
    CHECK(std::count(last.begin(), last.end(), '\n') == 1);
  }
}
