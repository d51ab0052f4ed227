#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

/// What the five tables of a live TiDB have and lack: they changed with its versions (contract 1.6), and we never alter
/// them.
struct DxfShape {
  bool modify_params = false;    ///< of both task tables: newer than 8.5
  bool max_node_count = false;   ///< likewise
  bool extra_params = false;     ///< likewise; up to 8.5 an executor keeps the number of rows alone in `summary`
  bool history_summary = false;  ///< of the history of subtasks: from the 8.3 line on
  friend bool operator==(const DxfShape&, const DxfShape&) = default;
};

/// Reads the shape of the tables in `schema` from information_schema. Throws kStoreSchema with one sentence when a
/// table, a column or an index is missing that every version from 8.1 on has.
[[nodiscard]] DxfShape readDxfShape(sqlclient::Connection& connection, const std::string& schema);

/// Turns our statements into those for the tables of a live TiDB: its schema's name before its tables, its indexes, and
/// constants in place of columns that its version does not have. Any thread.
class DxfDialect {
 public:
  /// `connect` is for the one look at the tables, when the first statement needs it.
  DxfDialect(std::string schema, sqlclient::ConnectSettings connect);

  /// Returns `text` for these tables; a text without them as it is. Throws what the look at the tables throws.
  [[nodiscard]] std::string translate(const std::string& text);
  /// Looks at the tables unless they are known; throws as readDxfShape.
  DxfShape shape();

 private:
  const std::string schema_;
  const sqlclient::ConnectSettings connect_;
  std::mutex mutex_;
  std::optional<DxfShape> shape_;
};

/// The translation itself.
[[nodiscard]] std::string translateForDxf(std::string text, const std::string& schema, const DxfShape& shape);

/// Returns a summary of a run as TiDB's own executor of that version leaves it.
[[nodiscard]] std::string summaryForDxf(const std::string& summary, const DxfShape& shape);

}  // namespace disttask::storage::mysql
