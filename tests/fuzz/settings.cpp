// Settings of a daemon, as YAML. They are read, or refused with one line a problem; what was read can be shown, and
// what is shown has no control characters that the text did not have.
#include "disttask/settings/loader.hpp"
#include "disttask/settings/values.hpp"
#include "fuzz.hpp"

using namespace disttask;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  settings::HostFacts facts;
  facts.host_name = "db-7.example";
  facts.cpu_count = 4;
  facts.memory_bytes = 1 << 30;
  facts.plugin_dir = "/usr/lib/disttask/plugins";
  const auto read = settings::parseSettings(fuzz::textOf(data, size), "d.yaml", facts);
  if (read) {
    fuzz::expect(!read.value().node.id.empty(), "a node has an id");
    const auto shown = settings::dumpSettings(read.value());
    // What --check-config shows is YAML again, whatever the values hold.
    const auto again = settings::parseSettings(shown, "shown.yaml", facts);
    if (!again)
      fuzz::expect(
          again.error().message().find("no valid YAML") == std::string::npos,
          "shown settings are YAML",
          again.error().message()
      );
    return 0;
  }
  fuzz::expect(read.error().code() == ErrorCode::kInvalidConfig, "bad settings have one error code");
  std::string_view lines = read.error().message();
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    const auto line = lines.substr(0, end);
    fuzz::expectSentence(line);
    fuzz::expect(line.substr(0, 7) == "d.yaml:", "each problem names its place", line);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return 0;
}
