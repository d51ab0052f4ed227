#include "args.hpp"
#include "daemon.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/settings/values.hpp"
#include "exit_codes.hpp"
#include "process_setup.hpp"
#include "store_settings.hpp"

#include <iostream>
#include <string>

namespace {

/// The store knows the account but not this right of it (1044, 1142, 1143: schema, table, column).
bool lacksRight(const disttask::Error& error) {
  const int number = error.storeNumber();
  return number == 1044 || number == 1142 || number == 1143;
}

int runDaemon(
    const disttask::settings::Settings& settings, const disttask::settings::HostFacts& facts, const std::string& config
) {
  disttask::app::Daemon daemon(settings, facts, config);
  const int code = daemon.run();
  disttask::app::takeNoMoreSignals();
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  namespace app = disttask::app;
  namespace settings = disttask::settings;
  app::surviveSignals();
  const auto parsed = app::parseDaemonArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* end = std::get_if<app::DaemonEarlyEnd>(&parsed)) {
    (end->exit_code == app::kExitClean ? std::cout : std::cerr) << end->text;
    return end->exit_code;
  }
  const auto& arguments = std::get<app::DaemonArguments>(parsed);
  if (!arguments.check_config) app::stopAtOnceOnSignals();
  DISTTASK_FAILPOINT("daemon.before_settings");
  const auto facts = app::hostFacts();
  const auto loaded = settings::loadSettings(arguments.config, facts);
  if (!loaded) {
    std::cerr << loaded.error().message() << '\n';
    return app::kExitConfig;
  }
  if (arguments.check_config) {
    std::cout << settings::dumpSettings(loaded.value());
    std::cerr << arguments.config << ": ok\n";
    return app::kExitClean;
  }
  try {
    const int code = runDaemon(loaded.value(), facts, arguments.config);
    DISTTASK_FAILPOINT("daemon.before_end");
    return code;
  } catch (const std::exception&) {
    const auto error = disttask::currentError();
    std::cerr << "disttaskd: " << error.message();
    if (lacksRight(error)) {
      std::cerr << "; disttaskctl grants print --role daemon shows the rights that the account needs";
    }
    std::cerr << '\n';
    return app::exitCodeOf(error.code());
  }
}
