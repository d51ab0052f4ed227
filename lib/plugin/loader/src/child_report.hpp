#pragma once
#include "disttask/base/json.hpp"
#include "disttask/runtime/clock.hpp"

#include <functional>
#include <string>

namespace disttask::plugin {

/// What came of work in a child process.
struct ChildReport {
  Json report;        ///< what the work returned; null when it did not come to its end
  std::string ended;  ///< then how the child ended: "crashed with signal 11 (…) while calling init"
};

/// Does `work` in a child process, so that a plugin that crashes, ends the process or does not come back harms nobody.
/// `work` says what it is about to do by the function it gets. What the plugin prints goes to stderr. Throws kInternal
/// when there can be no child. Forks: only from a process with one thread.
[[nodiscard]] ChildReport runInChild(
    const std::function<Json(const std::function<void(const std::string&)>& tell)>& work, runtime::Duration limit
);

}  // namespace disttask::plugin
