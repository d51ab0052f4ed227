#pragma once
#include "disttask/plugin_common/sessions.hpp"
#include "disttask_plugin.hpp"

#include <optional>
#include <string>

namespace disttask::plugin_common {

/// A session on a named connection; holds one of the connection's places on this node. Once the host's call is
/// cancelled, whatever waits for the server in it ends within half a second, also when the server or the network is
/// mute (kStoreUnavailable); its end then also ends the server's side, which takes a second or two more, unless the
/// lease is lost and there is no time. One thread.
class WatchedSession {
 public:
  /// Waits for a place. A non-empty `schema` must be one that the connection allows; `where` names the key that asks
  /// for it. Throws what the host throws for the connection, and what Connection::open throws.
  WatchedSession(
      const sdk::Host& host,
      Sessions& sessions,
      const std::string& connection,
      const SessionKind& kind,
      const std::string& schema,
      const std::string& where
  );
  WatchedSession(const WatchedSession&) = delete;
  WatchedSession& operator=(const WatchedSession&) = delete;
  ~WatchedSession();

  [[nodiscard]] sqlclient::Connection& connection() const noexcept { return **lease_; }
  [[nodiscard]] const ConnectionInfo& info() const noexcept { return info_; }

 private:
  const sdk::Host host_;
  sdk::Host::ConnectionPlace place_;  // given back after the session
  ConnectionInfo info_;
  std::optional<sqlclient::CallWatch::Section> watching_;  // around all that the session does
  std::optional<Sessions::Lease> lease_;
};

}  // namespace disttask::plugin_common
