#include "table_gate.hpp"

#include "range_hash.hpp"
#include "statements.hpp"

namespace disttask::csv_import {
namespace {

constexpr int kMaxRounds = 10;  // of a second each

// Names of locks are one space for the whole server, and short.
std::string lockName(const TargetTable& target) {
  RangeHash hash;
  hash.update(statements::quoted(target.schema, target.table));
  return "disttask_csv_" + toHex(hash.value());
}

}  // namespace

TableGate::TableGate(sqlclient::Connection& connection, const TargetTable& target, const std::function<void()>& check)
    : connection_(connection), name_(lockName(target)) {
  for (int round = 0; round != kMaxRounds && !lock(); ++round) check();
}

// True when there is nothing to wait for any more.
bool TableGate::lock() {
  try {
    auto rows = connection_.query(statements::kLockTable, {name_});
    locked_ = rows.next() && rows.getInt(1) == 1;
    return locked_;
  } catch (const Exception&) {
    if (connection_.isBroken()) throw;
    return true;
  }
}

TableGate::~TableGate() {
  if (!locked_ || connection_.isBroken()) return;
  try {
    auto rows = connection_.query(statements::kUnlockTable, {name_});
    static_cast<void>(rows.next());
  } catch (const Exception&) {  // it would keep the others waiting
    connection_.markBroken();
  }
}

}  // namespace disttask::csv_import
