#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/proto/ids.hpp"
#include "disttask/sqlclient/connection.hpp"

#include "statements/scheduler.hpp"

namespace disttask::storage::mysql {

/// First statement of each transaction of the owner (design rule 19). Throws kLost when the role is not this life's.
inline void fenceOwner(sqlclient::Connection& connection, proto::Life owner) {
  DISTTASK_FAILPOINT("owner.before_fence");
  if (connection.update(sql::kOwnerFence, {owner.value()}) != 1) {
    throw Exception(ErrorCode::kLost, "the scheduler role is somebody else's now");
  }
  DISTTASK_FAILPOINT("owner.fenced");
}

}  // namespace disttask::storage::mysql
