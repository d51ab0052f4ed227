#pragma once
#include "support/test_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace disttask::test {

/// Versions of TiDB whose tables differ.
enum class DxfVersion { k81, k85, kNewer };

/// Returns the statements that make the five tables as a TiDB of a version does; `schema` is put before their names,
/// such as "mysql.".
[[nodiscard]] std::vector<std::string> dxfTablesSql(DxfVersion version, const std::string& schema = {});

/// The five tables as a TiDB of a version makes them, in a schema of their own, and a schema for our side tables. Both
/// are dropped at the end.
class DxfTables {
 public:
  explicit DxfTables(DxfVersion version);
  DxfTables(const DxfTables&) = delete;
  DxfTables& operator=(const DxfTables&) = delete;
  ~DxfTables();
  [[nodiscard]] storage::mysql::StoreSettings settings() const;
  [[nodiscard]] std::unique_ptr<storage::mysql::Store> makeStore() const;
  /// Runs on the schema of the five tables.
  [[nodiscard]] std::string scalar(const std::string& sql) const { return tables_.scalar(sql); }
  void execute(const std::string& sql) const { tables_.execute(sql); }
  /// Returns all that information_schema says of the columns and indexes of the five tables' schema.
  [[nodiscard]] std::string definition() const;
  [[nodiscard]] std::string side() const { return tables_.schema() + "_side"; }

 private:
  TestStore tables_{TestStore::Schema::kEmpty};
};

}  // namespace disttask::test
