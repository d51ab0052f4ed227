#include "disttask/base/error.hpp"

namespace disttask {

std::string_view toString(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kInvalidConfig:
      return "invalid_config";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kAlreadyExists:
      return "already_exists";
    case ErrorCode::kPrecondition:
      return "precondition";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kStoreUnavailable:
      return "store_unavailable";
    case ErrorCode::kStoreConflict:
      return "store_conflict";
    case ErrorCode::kStoreReadOnly:
      return "store_read_only";
    case ErrorCode::kStoreTooMany:
      return "store_too_many_connections";
    case ErrorCode::kStoreNoPrivilege:
      return "store_no_privilege";
    case ErrorCode::kStoreDiskFull:
      return "store_disk_full";
    case ErrorCode::kStoreKilled:
      return "store_killed";
    case ErrorCode::kStoreContent:
      return "store_content";
    case ErrorCode::kStoreSessionUnfit:
      return "store_session_unfit";
    case ErrorCode::kStoreSchema:
      return "store_schema";
    case ErrorCode::kTimedOut:
      return "timed_out";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kLost:
      return "lost";
    case ErrorCode::kNonIdempotent:
      return "non_idempotent";
    case ErrorCode::kPluginFailed:
      return "plugin_failed";
  }
  return "unknown";
}

std::string_view toString(Reaction reaction) noexcept {
  switch (reaction) {
    case Reaction::kGiveUp:
      return "give_up";
    case Reaction::kRetry:
      return "retry";
    case Reaction::kBackOff:
      return "back_off";
    case Reaction::kReconnect:
      return "reconnect";
    case Reaction::kCancelled:
      return "cancelled";
    case Reaction::kLost:
      return "lost";
  }
  return "unknown";
}

Reaction defaultReaction(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kStoreConflict:
    case ErrorCode::kStoreKilled:
    case ErrorCode::kTimedOut:
      return Reaction::kRetry;
    case ErrorCode::kStoreReadOnly:
    case ErrorCode::kStoreTooMany:
    case ErrorCode::kStoreNoPrivilege:
    case ErrorCode::kStoreDiskFull:
    case ErrorCode::kStoreSessionUnfit:
      return Reaction::kBackOff;
    case ErrorCode::kStoreUnavailable:
      return Reaction::kReconnect;
    case ErrorCode::kCancelled:
      return Reaction::kCancelled;
    case ErrorCode::kLost:
      return Reaction::kLost;
    default:
      return Reaction::kGiveUp;
  }
}

Error::Error(ErrorCode code, std::string message) : Error(code, defaultReaction(code), std::move(message)) {}
Error::Error(ErrorCode code, Reaction reaction, std::string message)
    : code_(code), reaction_(reaction), message_(std::move(message)) {}

Error& Error::addContext(std::string_view context) {
  message_.insert(0, ": ").insert(0, context);
  return *this;
}

Error& Error::setStoreNumber(int number) noexcept {
  store_number_ = number;
  return *this;
}

bool healsByWaiting(const Error& error) noexcept {
  switch (error.code()) {
    case ErrorCode::kStoreNoPrivilege:
    case ErrorCode::kStoreSessionUnfit:
    case ErrorCode::kStoreSchema:
    case ErrorCode::kInvalidConfig:
      return false;
    case ErrorCode::kTimedOut:
      return true;
    default:
      break;
  }
  return error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
         error.reaction() == Reaction::kReconnect;
}

Error currentError() noexcept {
  try {
    throw;
  } catch (const Exception& e) {
    return e.error();
  } catch (const std::exception& e) {
    return {ErrorCode::kInternal, e.what()};
  } catch (const std::string& text) {
    return {ErrorCode::kInternal, text};
  } catch (const char* text) {
    return {ErrorCode::kInternal, text != nullptr ? text : "a null text was thrown"};
  } catch (...) {  // a plugin or a library may throw anything; its text is unknown
    return {ErrorCode::kInternal, "an exception that is not a std::exception"};
  }
}

}  // namespace disttask
