#include "args.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "run.hpp"

#include <iostream>

int main(int argc, char** argv) {
  namespace ctl = disttask::ctl;
  const auto parsed = ctl::parseArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* end = std::get_if<ctl::EarlyEnd>(&parsed)) {
    (end->exit_code == 0 ? std::cout : std::cerr) << end->text;
    return end->exit_code;
  }
  // Commands say themselves what they did.
  disttask::observability::setLevel(disttask::observability::Level::kWarn);
  // Before any thread and any plugin: the driver's first call is not thread-safe.
  disttask::sqlclient::initializeDriver();
  const int code = ctl::run(std::get<ctl::Arguments>(parsed), std::cout, std::cerr);
  std::cout.flush();
  return std::cout ? code : 1;
}
