#include "args.hpp"

#include "exit_codes.hpp"

#include <CLI/CLI.hpp>

#include <sstream>

namespace disttask::app {
namespace {

constexpr const char* kFooter =
    R"(Signals: SIGTERM drains (what runs may end by itself for node.drain_timeout) and then stops gracefully (running work
is given back); SIGINT stops gracefully; a second one of either ends at once. SIGHUP reads the settings again, SIGUSR1
writes the state of all parts to the log.

Exit codes:
  0    stopped as asked
  1    something broke that has no code of its own; the last log line says what
  2    wrong command line
  73   node.state_dir is locked by another process of this host
  75   a run did not return before the lease ended, or at a stop: left without it, a restart mends it
  76   the store's schema is missing or of another version: disttaskctl schema install
  77   the store refused the login or a right
  78   settings or plugins are wrong
  130  a second signal: left at once, work is taken over when the lease has ended, or by the next start here)";

}  // namespace

std::variant<DaemonArguments, DaemonEarlyEnd> parseDaemonArguments(const std::vector<std::string>& arguments) {
  DaemonArguments parsed;
  CLI::App app{"disttaskd: a node that runs distributed work described by a MySQL-compatible store", "disttaskd"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("disttaskd ") + DISTTASK_VERSION);
  app.add_option("--config", parsed.config, "Settings (YAML)")->capture_default_str();
  app.add_flag(
      "--check-config",
      parsed.check_config,
      "Check the settings without the store, show them with their defaults, and end with 0 or 78"
  );
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& end) {
    std::ostringstream out;
    std::ostringstream mistake;
    const int code = app.exit(end, out, mistake);
    if (code == 0) return DaemonEarlyEnd{kExitClean, out.str()};
    return DaemonEarlyEnd{kExitUsage, mistake.str()};
  }
  return parsed;
}

}  // namespace disttask::app
