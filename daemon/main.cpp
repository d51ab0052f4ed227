#include "args.hpp"
#include "daemon.hpp"
#include "disttask/settings/values.hpp"
#include "exit_codes.hpp"
#include "store_settings.hpp"

#include <csignal>
#include <iostream>

int main(int argc, char** argv) {
  namespace app = disttask::app;
  namespace settings = disttask::settings;
  // Until somebody can act on them they must not end the process.
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);
  const auto parsed = app::parseDaemonArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* end = std::get_if<app::DaemonEarlyEnd>(&parsed)) {
    (end->exit_code == app::kExitClean ? std::cout : std::cerr) << end->text;
    return end->exit_code;
  }
  const auto& arguments = std::get<app::DaemonArguments>(parsed);
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
    return app::Daemon(loaded.value(), facts, arguments.config).run();
  } catch (const std::exception&) {
    const auto error = disttask::currentError();
    std::cerr << "disttaskd: " << error.message() << '\n';
    return app::exitCodeOf(error.code());
  }
}
