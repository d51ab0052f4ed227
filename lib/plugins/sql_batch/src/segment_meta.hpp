#pragma once
#include "key_range.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace disttask::sql_batch {

/// Where a task was planned, and its ledger stands: a meta that names another place later changes nothing.
struct Place {
  std::string connection;
  std::string schema;
};

/// What one subtask is: a key range that is worked off in chunks.
struct SegmentMeta {
  Place place;
  KeyRange range;
  std::int64_t rows = 0;  ///< that were counted in it when it was planned
  [[nodiscard]] std::string dump() const;
  /// `place` is of rows that name none: those of older versions.
  [[nodiscard]] static SegmentMeta parse(std::string_view text, const Place& place);
};

/// Puts a place into the members of an object, and reads it from there.
void putPlace(Json& json, const Place& place);
[[nodiscard]] Place placeAt(const Json& json, const Place& otherwise);

/// The result of a subtask.
struct SegmentResult {
  std::int64_t rows = 0;     ///< of the key range, walked
  std::int64_t changed = 0;  ///< by the statement
  std::int64_t chunks = 0;
  bool last = false;                          ///< the subtask that ends at the planned maximum
  std::string maximum;                        ///< of the last one: in words
  std::map<std::string, std::int64_t> files;  ///< archive files and their valid length in bytes
  [[nodiscard]] std::string dump() const;
};

}  // namespace disttask::sql_batch
