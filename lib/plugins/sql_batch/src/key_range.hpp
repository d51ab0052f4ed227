#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "table_key.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace disttask::sql_batch {

/// Rows behind `after` (empty: from the first one) up to `upto`, in the order of the key.
struct KeyRange {
  KeyValues after;
  KeyValues upto;
};

/// Returns a condition for exactly these rows that servers turn into one range of the index: equal leading columns are
/// written as equalities, the rest as chains of OR, since servers read the whole index for `(a, b) > (1, 2)`. `alias`
/// stands before each column, if it is not empty.
[[nodiscard]] std::string rangeCondition(const TableKey& key, const KeyRange& range, const std::string& alias);

/// Finds the key of the `rows`-th row of the range, reading no more than those; nothing: it has fewer. Rows count
/// from 1.
[[nodiscard]] std::optional<KeyValues> nthKey(
    sqlclient::Connection& connection, const TableKey& key, const KeyRange& range, std::int64_t rows
);
/// Counts the rows of a range.
[[nodiscard]] std::int64_t countRows(sqlclient::Connection& connection, const TableKey& key, const KeyRange& range);
/// Returns the greatest key; nothing: the table is empty.
[[nodiscard]] std::optional<KeyValues> lastKey(sqlclient::Connection& connection, const TableKey& key);

}  // namespace disttask::sql_batch
