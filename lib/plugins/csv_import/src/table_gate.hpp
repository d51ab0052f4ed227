#pragma once
#include "disttask/plugin_common/named_lock.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "target_table.hpp"

#include <functional>

namespace disttask::csv_import {

/// Lets one session of all nodes load into a table at a time, by a named lock of the server: rows of a table without
/// any index go to one page, and sessions that wait for it cost the server more than they bring. Only a matter of
/// speed: after ten seconds, or when the server has no such lock, one goes in anyway. The lock ends with the session.
class TableGate {
 public:
  /// `check` is called while it waits, about once a second, and may throw to cancel.
  TableGate(sqlclient::Connection& connection, const TargetTable& target, const std::function<void()>& check);

 private:
  plugin_common::NamedLock lock_;
};

}  // namespace disttask::csv_import
