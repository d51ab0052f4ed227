#include "throttle.hpp"

#include "batch_session.hpp"
#include "disttask/base/error.hpp"
#include "disttask/plugin_common/watched_session.hpp"

#include <algorithm>
#include <cctype>

namespace disttask::sql_batch {
namespace {

using plugin_common::WatchedSession;

constexpr auto kAnswersHold = std::chrono::milliseconds(500);
constexpr sqlclient::Sql kSessionsOfTiDb{
    "sql_batch.sessions",
    "select count(*), cast(coalesce(sum(command <> 'Sleep'), 0) as signed) from information_schema.processlist"};
constexpr sqlclient::Sql kTimeOfDay{"sql_batch.time_of_day", "select time_to_sec(curtime())"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

/// A TiDB has hardly any status variables: the two that people throttle by are counted, on the server of this session,
/// as far as its account may see others (PROCESS).
void addSessions(sqlclient::Connection& connection, std::map<std::string, std::int64_t>& values) {
  auto rows = connection.query(kSessionsOfTiDb, {});
  if (!rows.next()) return;
  values.emplace("threads_connected", rows.getInt(1));
  values.emplace("threads_running", rows.getInt(2));
}

std::map<std::string, std::int64_t> statusOf(sqlclient::Connection& connection, const ThrottleOptions& options) {
  std::string names;
  for (const auto* loads : {&options.max_load, &options.critical_load}) {
    for (const auto& [name, limit] : *loads) names += (names.empty() ? "'" : ", '") + name + "'";
  }
  std::map<std::string, std::int64_t> values;
  if (names.empty()) return values;
  auto rows =
      connection.queryDynamic("sql_batch.status", "show global status where variable_name in (" + names + ")", {});
  while (rows.next()) values[lower(rows.getString(1))] = std::strtoll(rows.getString(2).c_str(), nullptr, 10);
  if (connection.flavour() == sqlclient::Flavour::kTiDb) addSessions(connection, values);
  return values;
}

/// Names the first variable that the server does not have.
std::optional<std::string> unknownVariable(
    const std::map<std::string, std::int64_t>& values, const ThrottleOptions& options
) {
  const auto look = [&](const auto& loads, const std::string& key) -> std::optional<std::string> {
    for (const auto& [name, limit] : loads) {
      if (values.count(lower(name)) == 0) return key + ": the server has no status variable " + name;
    }
    return std::nullopt;
  };
  if (auto unknown = look(options.critical_load, "critical_load")) return unknown;
  return look(options.max_load, "max_load");
}

std::optional<std::string> loadReason(sqlclient::Connection& connection, const ThrottleOptions& options) {
  const auto values = statusOf(connection, options);
  if (auto unknown = unknownVariable(values, options)) return unknown;
  for (const auto& [name, limit] : options.critical_load) {
    const auto value = values.at(lower(name));
    if (value > limit) {
      throw Exception(
          ErrorCode::kPrecondition,
          "critical_load: " + name + " is " + std::to_string(value) + ", above " + std::to_string(limit)
      );
    }
  }
  for (const auto& [name, limit] : options.max_load) {
    const auto value = values.at(lower(name));
    if (value > limit) return "max_load: " + name + " is " + std::to_string(value) + ", above " + std::to_string(limit);
  }
  return std::nullopt;
}

std::optional<std::string> windowReason(sqlclient::Connection& connection, const ThrottleOptions& options) {
  if (!options.window) return std::nullopt;
  auto rows = connection.query(kTimeOfDay, {});
  const bool open = rows.next() && options.window->contains(static_cast<std::int32_t>(rows.getInt(1)));
  if (open) return std::nullopt;
  return "window: the server's time of day is outside of " + options.window->toString();
}

struct Lag {
  bool is_replica = false;
  std::optional<std::int64_t> seconds;  ///< nothing: replication does not run
};

/// Shows all sources: of MariaDB's plain statement only the one without a name. Its word is the one that all its
/// versions know.
std::string statusStatement(sqlclient::Flavour flavour) {
  return flavour == sqlclient::Flavour::kMariaDb ? "show all slaves status" : "show replica status";
}

/// The greatest lag of all sources.
Lag lagOf(const sdk::Host& host, plugin_common::Sessions& sessions, const std::string& replica) {
  const WatchedSession session(host, sessions, replica, replicaKind(), "", "replicas");
  auto& connection = session.connection();
  auto rows = connection.queryDynamic("sql_batch.replica_status", statusStatement(connection.flavour()), {});
  Lag lag;
  while (rows.next()) {
    lag.is_replica = true;
    for (std::uint32_t i = 1; i <= rows.numColumns(); ++i) {
      const std::string name = lower(rows.columnName(i));
      if (name != "seconds_behind_master" && name != "seconds_behind_source") continue;
      if (rows.isNull(i)) return {true, std::nullopt};
      const std::int64_t seconds = std::strtoll(rows.getString(i).c_str(), nullptr, 10);
      lag.seconds = std::max(lag.seconds.value_or(0), seconds);
    }
  }
  return lag;
}

std::optional<std::string> lagReason(
    const sdk::Host& host, plugin_common::Sessions& sessions, const ThrottleOptions& options
) {
  for (const std::string& replica : options.replicas) {
    const std::string name = "max_lag: replica '" + replica + "'";
    try {
      const Lag lag = lagOf(host, sessions, replica);
      if (!lag.is_replica) return name + " is not a replica";
      if (!lag.seconds) return name + " does not replicate now";
      if (*lag.seconds * 1000 > options.max_lag_ms) {
        return name + " is " + std::to_string(*lag.seconds) + " s behind, more than " +
               (options.max_lag_ms % 1000 == 0 ? std::to_string(options.max_lag_ms / 1000) + " s"
                                               : std::to_string(options.max_lag_ms) + " ms");
      }
    } catch (const Exception& exception) {
      host.throwIfCancelled();
      return name + " does not answer: " + exception.error().message();
    } catch (const sdk::Failure& failure) {  // the host's word on the connection
      host.throwIfCancelled();
      return name + " cannot be asked: " + failure.what();
    }
  }
  return std::nullopt;
}

std::optional<std::string> ask(
    const sdk::Host& host,
    plugin_common::Sessions& sessions,
    const ThrottleOptions& options,
    const std::string& connection
) {
  if (options.window || !options.max_load.empty() || !options.critical_load.empty()) {
    const WatchedSession session(host, sessions, connection, batchKind(), "", "connection");
    if (auto reason = windowReason(session.connection(), options)) return reason;
    if (auto reason = loadReason(session.connection(), options)) return reason;
  }
  return lagReason(host, sessions, options);
}

}  // namespace

ThrottleOptions Throttle::options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

void Throttle::setOptions(ThrottleOptions options) {
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
  asked_at_.reset();
}

std::optional<std::string> Throttle::reasonToWait(const sdk::Host& host, const std::string& connection) {
  ThrottleOptions options;
  {
    const std::lock_guard lock(mutex_);
    if (asked_at_ && Clock::now() - *asked_at_ < kAnswersHold) return reason_;
    options = options_;
  }
  auto reason = ask(host, sessions_, options, connection);
  const std::lock_guard lock(mutex_);
  if (!(options == options_)) return reason;  // changed meanwhile: asked again next time
  asked_at_ = Clock::now();
  reason_ = reason;
  return reason;
}

std::string Throttle::lastReason() const {
  const std::lock_guard lock(mutex_);
  return reason_.value_or("");
}

void Throttle::requireVariables(sqlclient::Connection& connection, const ThrottleOptions& options) {
  if (auto unknown = unknownVariable(statusOf(connection, options), options)) {
    throw Exception(ErrorCode::kInvalidArgument, *unknown);
  }
}

void Throttle::requireReplicas(
    const sdk::Host& host, plugin_common::Sessions& sessions, const ThrottleOptions& options
) {
  for (const std::string& replica : options.replicas) {
    if (lagOf(host, sessions, replica).is_replica) continue;
    throw Exception(
        ErrorCode::kInvalidArgument, "replicas: the server of connection '" + replica + "' is not a replica"
    );
  }
}

}  // namespace disttask::sql_batch
