#include "table_gate.hpp"

#include "statements.hpp"

namespace disttask::csv_import {
namespace {

constexpr int kMaxSeconds = 10;

}  // namespace

TableGate::TableGate(sqlclient::Connection& connection, const TargetTable& target, const std::function<void()>& check)
    : lock_(
          connection,
          plugin_common::lockName("disttask_csv_", statements::quoted(target.schema, target.table)),
          kMaxSeconds,
          check
      ) {}

}  // namespace disttask::csv_import
