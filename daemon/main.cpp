#include "args.hpp"
#include "daemon.hpp"
#include "exit_codes.hpp"
#include "store_settings.hpp"

#include <iostream>

int main(int argc, char** argv) {
  using namespace disttask;
  const auto parsed = app::parseDaemonArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* end = std::get_if<app::DaemonEarlyEnd>(&parsed)) {
    (end->exit_code == app::kExitClean ? std::cout : std::cerr) << end->text;
    return end->exit_code;
  }
  const auto& arguments = std::get<app::DaemonArguments>(parsed);
  const auto facts = app::hostFacts();
  const auto settings = settings::loadSettings(arguments.config, facts);
  if (!settings) {
    std::cerr << settings.error().message() << '\n';
    return app::kExitConfig;
  }
  if (arguments.check_config) {
    std::cout << settings::dumpSettings(settings.value());
    std::cerr << arguments.config << ": ok\n";
    return app::kExitClean;
  }
  try {
    return app::Daemon(settings.value(), facts).run();
  } catch (const std::exception&) {
    const auto error = currentError();
    std::cerr << "disttaskd: " << error.message() << '\n';
    return app::exitCodeOf(error.code());
  }
}
