#pragma once
#include <string>

struct stat;

namespace disttask::settings {

/// Returns why this process cannot read a file: the system's words, and who has to be given the right or what hides it;
/// empty: it can be read.
[[nodiscard]] std::string whyUnreadable(const std::string& path);
/// The same of a failure to open it.
[[nodiscard]] std::string whyUnreadable(const std::string& path, int error_number);

/// Returns what is wrong with a file that holds a secret, or nothing: it cannot be read, is no regular file, or may be
/// read or written by everybody.
[[nodiscard]] std::string checkSecretFile(const std::string& path);
/// The same of kind and mode alone.
[[nodiscard]] std::string checkSecretMode(const struct ::stat& status);

}  // namespace disttask::settings
