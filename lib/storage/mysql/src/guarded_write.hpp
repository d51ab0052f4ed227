#pragma once
#include "disttask/proto/transition.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "store_context.hpp"
#include "task_rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace disttask::storage::mysql {

/// What a row says about a write that matched nothing, or whose outcome is unknown (design rule 10).
enum class Verdict : std::uint8_t {
  kApplied,    ///< it shows our target: an earlier try did it
  kSendAgain,  ///< it still shows what the write expects: not applied yet
  kLost,       ///< it is somebody else's
};

/// True for failures after which the same may be tried again: conflicts, no connection, too many, killed, read-only.
[[nodiscard]] bool isWorthAnotherTry(const Error& error) noexcept;
/// The same for a person who waits for the answer: a right that is missing comes with no wait of theirs.
[[nodiscard]] bool isWorthAnotherTryOfPerson(const Error& error) noexcept;

/// True when the store refuses the values of a write and would refuse them always; `bytes` is how large they are.
[[nodiscard]] bool refusesContent(const Error& error, std::size_t bytes) noexcept;
/// Returns that refusal as kStoreContent, whatever its number means elsewhere.
[[nodiscard]] Error asRefusal(const Error& error);

/// Waits a little longer after each failure; throws kTimedOut with `last` when the call's deadline would pass,
/// kCancelled when cancelled.
class RetryPause {
 public:
  RetryPause(StoreContext& context, Call call, std::string_view name);
  /// The call, with a deadline of 30 s if it had none.
  [[nodiscard]] const Call& call() const noexcept { return call_; }
  void wait(const std::optional<Error>& last);

 private:
  StoreContext& context_;
  const Call call_;
  const std::string name_;
  std::uint32_t failures_ = 0;
};

/// Updates one row by its primary key as an autocommit statement and returns the matched rows. On TiDB it is a
/// transaction of its own, since there the limit on lock waits does not hold for autocommit statements.
std::int64_t updateOne(Connection& connection, const sqlclient::Sql& sql, const sqlclient::Values& values);

/// The same for a text made at run time that changes many rows by their primary keys.
std::int64_t updateMany(
    Connection& connection, std::string_view name, const std::string& text, const sqlclient::Values& values
);

/// Sends a conditional UPDATE of one subtask row. `send` runs it on a connection and returns the matched rows; when
/// that is 0, or the outcome is unknown, the row is read again by its id outside a transaction and `judge` decides.
/// Both run on the caller's thread, `send` perhaps several times. A row that is gone is kLost when it is in history,
/// unless `judge` finds our target there, else kMissing.
TransitionOutcome writeGuarded(
    StoreContext& context,
    const Call& call,
    std::string_view name,
    proto::SubtaskId id,
    const std::function<std::int64_t(Connection&)>& send,
    const std::function<Verdict(const RowState&)>& judge
);

}  // namespace disttask::storage::mysql
