#include "abi_status.hpp"

#include "disttask/base/utf8.hpp"
#include "disttask/plugin/step_executor.hpp"

namespace disttask::plugin {
namespace {

/// The plugin's text, or words of ours when it gave none.
std::string textOf(const OutputSink& error, std::string_view function, std::string_view what) {
  if (!error.text().empty()) return toValidUtf8(error.text(), kMaxErrorTextBytes);
  return std::string(function) + " " + std::string(what) + " without a text";
}

[[noreturn]] void misbehaved(
    const OutputSink& error, const HostCall& call, std::string_view function, const std::string& what
) {
  call.logMisbehaving(std::string(function) + " " + what);
  std::string text = std::string(function) + " " + what;
  if (!error.text().empty()) text += ": " + error.text();
  throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, toValidUtf8(text, kMaxErrorTextBytes)));
}

}  // namespace

void throwUnlessOk(
    disttask_status status, const OutputSink& error, const HostCall& call, std::string_view function, bool may_hand_back
) {
  switch (status) {
    case DISTTASK_OK:
      return;
    case DISTTASK_FAILED:
      throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, textOf(error, function, "failed")));
    case DISTTASK_RETRY:
      throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kRetry, textOf(error, function, "asked for a retry")));
    case DISTTASK_CANCELLED:
      if (call.wasLost()) {
        throw Exception(Error(ErrorCode::kLost, Reaction::kLost, textOf(error, function, "was cancelled")));
      }
      if (call.token().cancelled()) {
        throw Exception(Error(ErrorCode::kCancelled, Reaction::kCancelled, textOf(error, function, "was cancelled")));
      }
      misbehaved(error, call, function, "returned 'cancelled' although nothing was cancelled");
    case DISTTASK_HAND_BACK:
      if (may_hand_back) throw HandBack(textOf(error, function, "handed it back"));
      misbehaved(error, call, function, "returned 'hand back', which it may not");
    default:
      misbehaved(
          error, call, function, "returned status " + std::to_string(status) + ", which this host does not know"
      );
  }
}

std::string takeOutput(OutputSink& output, const HostCall& call, std::string_view what) {
  if (!output.overflowed()) return output.take();
  const std::string text =
      "the plugin wrote a " + std::string(what) + " of more than " + std::to_string(kMaxOutputBytes >> 20) + " MiB";
  call.logMisbehaving(text);
  throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kGiveUp, text));
}

disttask_status currentStatus(disttask_sink error) noexcept {
  const Error caught = currentError();
  writeTo(error, caught.message());
  switch (caught.reaction()) {
    case Reaction::kCancelled:
    case Reaction::kLost:
      return DISTTASK_CANCELLED;
    case Reaction::kRetry:
    case Reaction::kBackOff:
    case Reaction::kReconnect:
      return DISTTASK_RETRY;
    case Reaction::kGiveUp:
      break;
  }
  return DISTTASK_FAILED;
}

}  // namespace disttask::plugin
