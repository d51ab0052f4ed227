#pragma once
#include "statements/scheduler.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace disttask::storage::mysql {

/// Calls `body` with each run of at most kIdsPerStatement items; short runs repeat their last item.
template <typename T, typename F>
void inPaddedChunks(const std::vector<T>& items, F body) {
  for (std::size_t begin = 0; begin < items.size(); begin += sql::kIdsPerStatement) {
    const auto end = std::min(begin + sql::kIdsPerStatement, items.size());
    std::vector<T> chunk(
        items.begin() + static_cast<std::ptrdiff_t>(begin), items.begin() + static_cast<std::ptrdiff_t>(end)
    );
    const T last = chunk.back();
    chunk.resize(sql::kIdsPerStatement, last);
    body(chunk);
  }
}

}  // namespace disttask::storage::mysql
