#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::ctl {

/// Returns the rows of a terminal, 24 when it does not say.
[[nodiscard]] std::size_t rowsOf(int descriptor);

/// Writes one view over the one before on a terminal, without clearing the screen. Lines may be wider than the
/// terminal, which breaks them, and it may have another size at each update. Pure. One thread.
class Redraw {
 public:
  /// Returns what to write so that `view`, lines that end with \n, stands where the last one stood; at most `rows` - 1
  /// rows of it, the last of which then says that there are more. `columns`: 0 = no limit.
  [[nodiscard]] std::string update(std::string_view view, std::size_t rows, std::size_t columns);

 private:
  std::vector<std::size_t> widths_;  ///< of the last view's lines
};

}  // namespace disttask::ctl
