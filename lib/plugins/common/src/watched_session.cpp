#include "disttask/plugin_common/watched_session.hpp"

namespace disttask::plugin_common {
namespace {

/// What a call that is just being answered gets to end by itself.
constexpr std::chrono::milliseconds kGrace{250};

ConnectionInfo allowedConnection(
    const sdk::Host& host, const std::string& connection, const std::string& schema, const std::string& where
) {
  ConnectionInfo info = parseConnection(connection, host.connection(connection));
  if (!schema.empty()) info.requireSchema(schema, where);
  return info;
}

}  // namespace

WatchedSession::WatchedSession(
    const sdk::Host& host,
    Sessions& sessions,
    const std::string& connection,
    const SessionKind& kind,
    const std::string& schema,
    const std::string& where
)
    : host_(host),
      place_(host.acquireConnection(connection)),
      info_(allowedConnection(host, connection, schema, where)),
      watching_(sessions.watch().open([host] { return host.cancelled(); }, kGrace)),
      lease_(sessions.take(info_, kind)) {}

WatchedSession::~WatchedSession() {
  const bool given_up =
      connection().isBroken() && host_.cancelled() && host_.cancelCause() != DISTTASK_CAUSE_LEASE_LOST;
  const auto connection_id = connection().connectionId();
  lease_.reset();
  watching_.reset();
  if (given_up) Sessions::endOnServer(info_, connection_id);
}

}  // namespace disttask::plugin_common
