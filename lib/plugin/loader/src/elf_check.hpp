#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace disttask::plugin {

/// Reads so many bytes from this offset of a file; false: they are not there.
using ReadAt = std::function<bool(std::uint64_t offset, void* to, std::size_t size)>;

/// Checks that a file of `size` bytes is a shared object for this machine with all that is mapped of it. Returns
/// nothing when it is, else one sentence. The system's loader ends the process with SIGBUS for a file that was copied
/// in part.
[[nodiscard]] std::optional<std::string> checkElf(std::uint64_t size, const ReadAt& read);
/// The same for a file by its path.
[[nodiscard]] std::optional<std::string> checkElfFile(const std::string& path);

}  // namespace disttask::plugin
