#pragma once
#include <string>

namespace disttask::ctl {

/// Returns the JSON that `--meta` gives, from JSON or YAML: the text itself, or that of `@FILE` (`@-`: stdin), at most
/// 16 MiB. Throws kNotFound for a file that cannot be read and kInvalidArgument for text that is neither, with the
/// place.
[[nodiscard]] std::string readMeta(const std::string& meta);

}  // namespace disttask::ctl
