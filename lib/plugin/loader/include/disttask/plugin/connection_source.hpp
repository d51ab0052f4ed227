#pragma once
#include "disttask/base/expected.hpp"
#include "disttask/runtime/cancel.hpp"

#include <string>

namespace disttask::plugin {

/// The named connections that plugins may ask for; implemented by whoever composes the process, and outlives the task
/// types. Any thread.
class ConnectionSource {
 public:
  virtual ~ConnectionSource() = default;
  /// Returns connection `name` as JSON (members: see disttask_ext_connection in disttask_plugin.h), its secret read
  /// anew; or one sentence when there is none of that name or this task type may not use it.
  virtual Expected<std::string> get(const std::string& name, const std::string& task_type) = 0;
  /// Takes one of the places that this node has for the connection; waits until there is one or `token` is cancelled.
  /// Throws kCancelled, or with the sentence that get gives.
  virtual void acquire(const std::string& name, const std::string& task_type, const runtime::CancelToken& token) = 0;
  /// Gives a place back; only after an acquire that returned.
  virtual void release(const std::string& name, const std::string& task_type) noexcept = 0;
};

/// A process without named connections: refuses each name with a sentence.
class NoConnections final : public ConnectionSource {
 public:
  Expected<std::string> get(const std::string& name, const std::string&) override { return refusal(name); }
  void acquire(const std::string& name, const std::string&, const runtime::CancelToken&) override {
    throw Exception(refusal(name));
  }
  void release(const std::string&, const std::string&) noexcept override {}

 private:
  static Error refusal(const std::string& name) {
    return {ErrorCode::kNotFound, "no connection '" + name + "': this process has none configured"};
  }
};

}  // namespace disttask::plugin
