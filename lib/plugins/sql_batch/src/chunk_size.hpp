#pragma once
#include <cstdint>
#include <mutex>

namespace disttask::sql_batch {

/// How many rows the next chunk has: so many that it lasts about chunk_time. It at most doubles from one chunk to the
/// next; after a conflict it is halved and does not grow for some chunks. Any thread.
class ChunkSize {
 public:
  ChunkSize(std::int64_t rows, std::int64_t most) : rows_(rows < most ? rows : most), most_(most) {}

  [[nodiscard]] std::int64_t rows() const;
  /// A chunk of so many rows took so long; `wanted_ms` 0 leaves the size as it is.
  void took(std::int64_t rows, double ms, std::int64_t wanted_ms);
  void halve();
  /// Sets the greatest size.
  void limit(std::int64_t most);
  /// Begins anew from this size: somebody asked for another one.
  void set(std::int64_t rows);

 private:
  mutable std::mutex mutex_;
  std::int64_t rows_;  // guarded by mutex_
  int hold_ = 0;       // guarded by mutex_
  std::int64_t most_;  // guarded by mutex_
};

}  // namespace disttask::sql_batch
