#pragma once
#include "abi_text.hpp"
#include "disttask/base/error.hpp"
#include "host_call.hpp"

#include <string>

namespace disttask::plugin {

/// Turns what a plugin's function returned into an Exception, or returns when it was DISTTASK_OK. `function` is its
/// name, for messages about the plugin; a text that the plugin wrote stands alone. Values that nobody knows, and
/// DISTTASK_CANCELLED when nothing was cancelled, are failures, and are logged as misbehaviour. DISTTASK_HAND_BACK too,
/// unless `may_hand_back`: then it is a plugin::HandBack.
void throwUnlessOk(
    disttask_status status,
    const OutputSink& error,
    const HostCall& call,
    std::string_view function,
    bool may_hand_back = false
);

/// Returns an output, or throws when the plugin wrote more than kMaxOutputBytes.
[[nodiscard]] std::string takeOutput(OutputSink& output, const HostCall& call, std::string_view what);

/// Turns the exception that is being handled into a status for the plugin, its text into `error`; for catch blocks of
/// host functions.
[[nodiscard]] disttask_status currentStatus(disttask_sink error) noexcept;

}  // namespace disttask::plugin
