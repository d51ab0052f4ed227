#pragma once
#include "disttask/settings/loader.hpp"

#include <memory>
#include <string>

namespace disttask::app {

/// The composition root of disttaskd: builds every object in order, waits for the stop request, takes them down in
/// reverse order. One instance a process, on the main thread.
class Daemon {
 public:
  /// `settings_file` is read again at SIGHUP.
  Daemon(settings::Settings settings, settings::HostFacts facts, std::string settings_file);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  /// Runs until a signal asks to stop; returns the exit code. Throws what makes a start impossible: settings, login,
  /// schema (exitCodeOf gives the code). Ends the process by itself, with a documented code, at a second signal and
  /// when the lease ends under a run.
  [[nodiscard]] int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::app
