#include "store_context.hpp"

#include "disttask/base/random.hpp"
#include "disttask/base/tidb_schema.hpp"
#include "disttask/runtime/backoff.hpp"

#include <algorithm>
#include <utility>

namespace disttask::storage::mysql {

namespace {

constexpr std::chrono::seconds kDefaultLimit{30};
/// A pooled session may have died while it lay there; a second one that dies at once says that the server is in
/// trouble.
constexpr std::uint32_t kMaxBroken = 2;
constexpr runtime::BackoffPolicy kConflictPause{std::chrono::milliseconds(4), std::chrono::milliseconds(500), 0.5};

/// Whoever must renew a lease between two calls waits for a lock no longer than a part of it.
int lockWaitSeconds(const StoreSettings& settings) {
  const auto tenth = std::chrono::duration_cast<std::chrono::seconds>(settings.lease / 10).count();
  return static_cast<int>(std::clamp<std::int64_t>(tenth, 1, 3));
}

std::chrono::seconds idleLimit(const StoreSettings& settings) {
  const auto third = std::chrono::duration_cast<std::chrono::seconds>(settings.lease / 3);
  return std::max(third, std::chrono::seconds(1));
}

/// On MySQL the idle limit ends any idle session, so the pool must let go of them earlier.
std::chrono::seconds longestIdle(const StoreSettings& settings) {
  const auto wanted = std::chrono::duration_cast<std::chrono::seconds>(settings.max_idle);
  return std::max(std::min(idleLimit(settings) * 4 / 5, wanted), std::chrono::seconds(1));
}

sqlclient::ConnectSettings withSession(const StoreSettings& settings, DxfDialect* dialect, int lock_wait_seconds) {
  auto connect = settings.connect;
  const bool in_schema = settings.side_schema.empty() || settings.without_side_tables;
  connect.schema = in_schema ? settings.schema : settings.side_schema;
  if (dialect != nullptr) connect.translate = [dialect](const std::string& text) { return dialect->translate(text); };
  connect.session = {
      "set session time_zone = '+00:00'",
      "set session sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
      // Below the read limit: a statement whose client has given up would still be applied when the lock comes free.
      "set session innodb_lock_wait_timeout = " + std::to_string(lock_wait_seconds),
  };
  // TiDB plans each UPDATE by a list of ids anew, at half of its whole cost, unless it may keep such plans (44830; it
  // still plans anew when the list has doubles), and those of statements with more than 200 binds (44823).
  connect.tidb_tuning = {"set session tidb_opt_fix_control = '44830:ON,44823:0'"};
  return connect;
}

sqlclient::ConnectSettings workConnect(const StoreSettings& settings, DxfDialect* dialect, int lock_wait_seconds) {
  auto connect = withSession(settings, dialect, lock_wait_seconds);
  connect.idle_transaction_limit = idleLimit(settings);
  return connect;
}

sqlclient::ConnectSettings runsConnect(const StoreSettings& settings, DxfDialect* dialect) {
  auto connect = workConnect(settings, dialect, 1);
  connect.only_transactions = true;
  return connect;
}

sqlclient::ConnectSettings leaseConnect(const StoreSettings& settings, DxfDialect* dialect) {
  auto connect = withSession(settings, dialect, 2);
  connect.only_transactions = true;
  connect.connect_timeout = connect.read_timeout = connect.write_timeout = std::chrono::seconds(3);
  return connect;
}

StoreSettings completed(StoreSettings settings) {
  settings.schema = toSchemaName(settings.schema);
  settings.side_schema = toSchemaName(settings.side_schema);
  if (isTidbSchema(settings.schema) && settings.side_schema.empty()) settings.side_schema = "disttask";
  if (!settings.side_schema.empty()) settings.shared_with_dxf = true;
  return settings;
}

std::unique_ptr<DxfDialect> makeDialect(const StoreSettings& settings) {
  if (settings.side_schema.empty()) return nullptr;
  auto connect = withSession(settings, nullptr, 3);
  connect.schema.clear();
  return std::make_unique<DxfDialect>(settings.schema, std::move(connect));
}

}  // namespace

StoreContext::StoreContext(StoreSettings settings, runtime::Clock& clock)
    : settings_(completed(std::move(settings))),
      clock_(clock),
      dialect_(makeDialect(settings_)),
      pool_(
          workConnect(settings_, dialect_.get(), lockWaitSeconds(settings_)),
          {settings_.pool_size, longestIdle(settings_)},
          clock
      ),
      runs_pool_(runsConnect(settings_, dialect_.get()), {1, longestIdle(settings_)}, clock),
      lease_pool_(leaseConnect(settings_, dialect_.get()), {1, std::chrono::seconds(60)}, clock) {}

sqlclient::ConnectSettings StoreContext::ddlConnect(bool with_schema) const {
  auto connect = withSession(settings_, dialect_.get(), 3);
  if (!settings_.side_schema.empty()) connect.schema = settings_.side_schema;
  if (!with_schema) connect.schema.clear();
  connect.read_timeout = std::chrono::seconds(60);
  // Metadata locks: an ALTER that waits behind one idle transaction stops everybody who comes after it.
  connect.session.emplace_back("set session lock_wait_timeout = 3");
  return connect;
}

Call StoreContext::bounded(const Call& call) const {
  Call limited = call;
  if (limited.deadline.isNever()) limited.deadline = runtime::Deadline(clock_, kDefaultLimit);
  return limited;
}

std::optional<sqlclient::CallWatch::Section> StoreContext::watched(const Call& call) {
  if (!call.cut_off) return std::nullopt;
  return watch_.open([token = call.token] { return token.cancelled(); }, runtime::Duration::zero());
}

void StoreContext::pauseOrThrow(
    const Call& call, std::string_view name, const Error& error, bool committing, Attempts& attempts
) {
  const auto fail = [&] {
    // What the work itself refused is said in words of its own.
    if (error.code() == ErrorCode::kPrecondition || error.code() == ErrorCode::kNotFound ||
        error.code() == ErrorCode::kInvalidArgument)
      throw Exception(error);
    Error named = error;
    throw Exception(named.addContext(name));
  };
  if (error.code() == ErrorCode::kStoreConflict) {
    ++attempts.conflicts;
  } else if (error.reaction() == Reaction::kReconnect && !committing) {
    if (++attempts.broken >= kMaxBroken) fail();
  } else {
    fail();
  }
  const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
  const auto pause = runtime::backoffDelay(kConflictPause, attempts.conflicts + attempts.broken, random);
  if (call.deadline.left() <= pause) fail();
  runtime::Wakeup(clock_).waitFor(call.token, pause);
  call.check(name);
}

}  // namespace disttask::storage::mysql
