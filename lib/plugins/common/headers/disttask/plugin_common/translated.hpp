#pragma once
#include "disttask/base/error.hpp"
#include "disttask_plugin.hpp"

#include <utility>

namespace disttask::plugin_common {

/// Runs `body`; what it throws becomes what the host understands: retry later, cancelled, or failed with the text.
template <typename F>
auto translated(F&& body) {
  try {
    return std::forward<F>(body)();
  } catch (const Exception& exception) {
    const Error& error = exception.error();
    switch (error.reaction()) {
      case Reaction::kCancelled:
        throw sdk::Cancelled();
      case Reaction::kRetry:
      case Reaction::kBackOff:
      case Reaction::kReconnect:
        throw sdk::RetryLater(error.message());
      case Reaction::kGiveUp:
      case Reaction::kLost:
        break;
    }
    throw sdk::Failure(error.message());
  }
}

}  // namespace disttask::plugin_common
