#pragma once
#include "system_cluster.hpp"

#include <string>

namespace disttask::test {

/// A CSV file, a table for it without a primary key, and nodes that may load the one into the other. Test's thread
/// only.
class CsvScene {
 public:
  /// Installs the schema, the table and the ledger, and writes a file of `records` records, some with line breaks
  /// inside quotes.
  CsvScene(SystemCluster& cluster, int records);
  /// Returns what a node needs to run the import.
  [[nodiscard]] NodeOptions node(const std::string& id) const;
  /// The same for a node whose files stand below a folder of its own: with the file, or without. It goes with
  /// metaOfOwnFiles, whose path means another file on each node.
  [[nodiscard]] NodeOptions nodeWithOwnFiles(const std::string& id, bool has_file) const;
  /// Returns the task's meta.
  [[nodiscard]] std::string meta() const;
  [[nodiscard]] std::string metaOfOwnFiles() const;
  /// Checks the table, and what `task show` says of the verification.
  void checkLoaded(const Json& shown) const;

 private:
  [[nodiscard]] NodeOptions nodeFor(const std::string& id, const std::string& files) const;
  [[nodiscard]] std::string metaFor(const std::string& file) const;

  SystemCluster& cluster_;
  const int records_;
  std::string file_;
};

}  // namespace disttask::test
