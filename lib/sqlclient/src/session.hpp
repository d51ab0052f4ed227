#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <cppconn/connection.h>

#include <cstdint>
#include <string>

namespace disttask::sqlclient {

/// What is known of a session once it is ready.
struct SessionFacts {
  std::int64_t connection_id = 0;
  std::string version;
  Flavour flavour = Flavour::kMySql;
  bool read_only = false;
  std::int64_t max_packet = 0;    ///< bytes; 0 = the server does not say
  bool begins_by_itself = false;  ///< without autocommit: the first statement opens the transaction
};

/// Makes a fresh connection fit for work: asserts TLS where asked for, sets READ COMMITTED and the session statements,
/// and verifies that they are in force. Throws kStoreSessionUnfit with what is wrong, or what the connector throws.
SessionFacts prepareSession(sql::Connection& connection, const ConnectSettings& settings);

}  // namespace disttask::sqlclient
