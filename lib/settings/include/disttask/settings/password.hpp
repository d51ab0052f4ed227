#pragma once
#include "disttask/settings/settings.hpp"

#include <string>

namespace disttask::settings {

/// Returns the password of `source`, read now; empty when the source names none. One line break at the end is not part
/// of it. Throws kInvalidConfig with the path when the file cannot be read or when everybody may read it. Any thread.
[[nodiscard]] std::string readPassword(const PasswordSource& source, const std::string& credentials_directory);

}  // namespace disttask::settings
