#include "guarded_write.hpp"

#include "disttask/base/random.hpp"
#include "disttask/runtime/backoff.hpp"

#include "statements/task.hpp"

namespace disttask::storage::mysql {

namespace {

constexpr std::chrono::seconds kDefaultLimit{30};
constexpr runtime::BackoffPolicy kPause{std::chrono::milliseconds(10), std::chrono::seconds(2), 0.5};

Call bounded(StoreContext& context, Call call) {
  if (call.deadline.isNever()) call.deadline = runtime::Deadline(context.clock(), kDefaultLimit);
  return call;
}

/// Reads the row and judges it; nothing: it is still as the write expects it.
std::optional<TransitionOutcome> conclude(
    Connection& connection, proto::SubtaskId id, const std::function<Verdict(const RowState&)>& judge
) {
  if (const auto row = queryRowState(connection, sql::kRowById, id)) {
    switch (judge(*row)) {
      case Verdict::kApplied:
        return TransitionOutcome::kApplied;
      case Verdict::kSendAgain:
        return std::nullopt;
      case Verdict::kLost:
        break;
    }
    return TransitionOutcome::kLost;
  }
  const auto row = queryRowState(connection, sql::kHistoryRowById, id);
  if (!row) return TransitionOutcome::kMissing;
  return judge(*row) == Verdict::kApplied ? TransitionOutcome::kApplied : TransitionOutcome::kLost;
}

}  // namespace

bool isWorthAnotherTry(const Error& error) noexcept {
  if (error.code() == ErrorCode::kTimedOut || error.code() == ErrorCode::kCancelled) return false;
  return error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
         error.reaction() == Reaction::kReconnect;
}

bool isWorthAnotherTryOfPerson(const Error& error) noexcept {
  return error.code() != ErrorCode::kStoreNoPrivilege && isWorthAnotherTry(error);
}

bool refusesContent(const Error& error, std::size_t bytes) noexcept {
  // What one value may measure before a refusal without a number of its own (1105) is put down to its size.
  constexpr std::size_t kLargeValue = 1 << 20;
  return error.code() == ErrorCode::kStoreContent || (error.storeNumber() == 1105 && bytes >= kLargeValue);
}

Error asRefusal(const Error& error) {
  if (error.code() == ErrorCode::kStoreContent) return error;
  Error refusal(ErrorCode::kStoreContent, error.message());
  return refusal.setStoreNumber(error.storeNumber());
}

RetryPause::RetryPause(StoreContext& context, Call call, std::string_view name)
    : context_(context), call_(bounded(context, std::move(call))), name_(name) {}

void RetryPause::wait(const std::optional<Error>& last) {
  const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
  const auto pause = runtime::backoffDelay(kPause, ++failures_, random);
  if (call_.deadline.left() <= pause) {
    throw Exception(
        ErrorCode::kTimedOut,
        name_ + " could not be confirmed in time: " + (last ? last->message() : "the row did not change")
    );
  }
  runtime::Wakeup(context_.clock()).waitFor(call_.token, pause);
  call_.check(name_);
}

std::int64_t updateOne(Connection& connection, const sqlclient::Sql& sql, const sqlclient::Values& values) {
  if (connection.flavour() != sqlclient::Flavour::kTiDb) return connection.update(sql, values);
  sqlclient::Transaction transaction(connection);
  const auto matched = connection.update(sql, values);
  transaction.commit();
  return matched;
}

std::int64_t updateMany(
    Connection& connection, std::string_view name, const std::string& text, const sqlclient::Values& values
) {
  if (connection.flavour() != sqlclient::Flavour::kTiDb) return connection.updateDynamic(name, text, values);
  sqlclient::Transaction transaction(connection);
  const auto matched = connection.updateDynamic(name, text, values);
  transaction.commit();
  return matched;
}

TransitionOutcome writeGuarded(
    StoreContext& context,
    const Call& call,
    std::string_view name,
    proto::SubtaskId id,
    const std::function<std::int64_t(Connection&)>& send,
    const std::function<Verdict(const RowState&)>& judge
) {
  RetryPause pause(context, call, name);
  pause.call().check(name);
  const auto watching = context.watched(pause.call());
  for (;;) {
    std::optional<Error> last;
    try {
      const auto lease = context.acquire(pause.call());
      if (send(*lease) > 0) return TransitionOutcome::kApplied;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      last = e.error();
    }
    try {
      const auto lease = context.acquire(pause.call());
      if (const auto outcome = conclude(*lease, id, judge)) return *outcome;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      last = e.error();
    }
    pause.wait(last);
  }
}

}  // namespace disttask::storage::mysql
