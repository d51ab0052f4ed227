#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace disttask::sqlclient {

/// A store as one line of text: `mysql://USER[:PASSWORD]@HOST[:PORT]/[SCHEMA][?socket=PATH&tls=verify&ca=PATH]`. Each
/// part may be percent-encoded; an IPv6 host stands in brackets; with `socket` the host does not matter. A value;
/// thread-compatible.
struct Dsn {
  std::string user;
  std::optional<std::string> password;  ///< nothing: the text has no ':' after the user
  Endpoint endpoint;
  std::string schema;  ///< empty = none
  TlsSettings tls;
};

/// Parses the text. Throws kInvalidArgument that names the part and what was expected; the password is never in the
/// message.
[[nodiscard]] Dsn parseDsn(std::string_view text);

/// Returns connect settings with the default time limits.
[[nodiscard]] ConnectSettings toConnectSettings(const Dsn& dsn);

/// Returns the line again without the password, for logs and messages.
[[nodiscard]] std::string toDisplayText(const Dsn& dsn);

}  // namespace disttask::sqlclient
