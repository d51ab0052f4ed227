#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace disttask::ctl {

/// Returns the rows of a terminal, 24 when it does not say.
[[nodiscard]] std::size_t rowsOf(int descriptor);

/// Writes one view over the one before on a terminal, without clearing the screen. Lines are taken to fit the width.
/// Pure. One thread.
class Redraw {
 public:
  /// Returns what to write so that `view`, lines that end with \n, stands where the last one stood; at most `rows` - 1
  /// lines of it, the last of which then says that there are more.
  [[nodiscard]] std::string update(std::string_view view, std::size_t rows);

 private:
  std::size_t lines_ = 0;  ///< of the last view
};

}  // namespace disttask::ctl
