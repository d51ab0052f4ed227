#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace disttask {

/// Names what went wrong; a closed list, logged and stored by its text name.
enum class ErrorCode : std::uint8_t {
  kInternal,           ///< a broken invariant of our own
  kInvalidArgument,    ///< a caller's value is out of range or malformed
  kInvalidConfig,      ///< a settings file is wrong; the message lists each place
  kNotFound,           ///< the thing named does not exist
  kAlreadyExists,      ///< a unique name or key is taken
  kPrecondition,       ///< the state does not allow it now
  kUnsupported,        ///< this server or build cannot do it
  kStoreUnavailable,   ///< no connection, or it broke: the outcome of a write is unknown
  kStoreConflict,      ///< deadlock, lock wait or write conflict: the transaction did nothing
  kStoreReadOnly,      ///< the server takes no writes
  kStoreTooMany,       ///< too many connections
  kStoreNoPrivilege,   ///< login or grant refused
  kStoreDiskFull,      ///< the server cannot store more
  kStoreKilled,        ///< the statement was killed or ran into a time limit
  kStoreContent,       ///< the store refuses this value (too long, not JSON, too large)
  kStoreSessionUnfit,  ///< the session's settings make safe work impossible
  kStoreSchema,        ///< tables are missing or of a version this program does not speak
  kTimedOut,           ///< our own deadline passed
  kCancelled,          ///< somebody cancelled; see the cause
  kLost,               ///< the row is not ours any more
  kNonIdempotent,      ///< a subtask was found running and may not run again
  kPluginFailed,       ///< plugin code failed or broke its contract
};

/// Says what whoever catches an error should do; nothing else decides it.
enum class Reaction : std::uint8_t {
  kGiveUp,     ///< permanent: fail the unit of work
  kRetry,      ///< transient: do the same again soon
  kBackOff,    ///< overloaded or unavailable by policy: again later
  kReconnect,  ///< connection gone and the outcome unknown: re-read before deciding
  kCancelled,  ///< stop; the cause says what is written
  kLost,       ///< not ours: touch nothing
};

/// Returns the stable text name, such as "store_conflict".
[[nodiscard]] std::string_view toString(ErrorCode code) noexcept;
/// Returns the stable text name, such as "back_off".
[[nodiscard]] std::string_view toString(Reaction reaction) noexcept;
/// Returns the reaction that belongs to `code` when nothing more is known.
[[nodiscard]] Reaction defaultReaction(ErrorCode code) noexcept;

/// A failure as a value: what, what to do, and words for people. Movable, thread-compatible.
class Error {
 public:
  Error(ErrorCode code, std::string message);
  Error(ErrorCode code, Reaction reaction, std::string message);

  /// Puts "context: " before the message; returns itself so that it can be thrown in one line.
  Error& addContext(std::string_view context);
  /// Notes the store's own error number (0 = none), such as 1213.
  Error& setStoreNumber(int number) noexcept;

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  [[nodiscard]] Reaction reaction() const noexcept { return reaction_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] int storeNumber() const noexcept { return store_number_; }

 private:
  ErrorCode code_;
  Reaction reaction_;
  int store_number_ = 0;
  std::string message_;
};

/// Returns whether waiting may heal it while a program starts: what a person must mend (login, rights, session, schema,
/// settings) does not heal, whatever its reaction is at work.
[[nodiscard]] bool healsByWaiting(const Error& error) noexcept;

/// The one exception type of the library; carries an Error. Thrown by value, caught by reference.
class Exception : public std::exception {
 public:
  explicit Exception(Error error) : error_(std::move(error)) {}
  Exception(ErrorCode code, std::string message) : error_(code, std::move(message)) {}

  [[nodiscard]] const char* what() const noexcept override { return error_.message().c_str(); }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

/// Turns the exception that is being handled into an Error; for use inside a catch block only. Anything unknown becomes
/// kInternal with reaction kGiveUp and the text that is known.
[[nodiscard]] Error currentError() noexcept;

}  // namespace disttask
