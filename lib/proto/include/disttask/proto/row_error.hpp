#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace disttask::proto {

/// Bytes that an `error` column takes at most.
inline constexpr std::size_t kMaxErrorBytes = 60 * 1024;

/// Writes an error text in the contract's JSON form (section 3.1): {"class":0,"code":N,"message":…,"rfccode":""}, valid
/// UTF-8, at most kMaxErrorBytes.
[[nodiscard]] std::string encodeRowError(std::string_view message, int code = 0);
/// What an `error` column has when a person let a failed subtask count as succeeded: the same JSON with
/// `"skipped":true`. The message is cut to kMaxSkipNoteBytes.
[[nodiscard]] std::string encodeSkipNote(std::string_view message);
inline constexpr std::size_t kMaxSkipNoteBytes = 4 * 1024;
/// By this text a skipped subtask's error column is recognised; it stands there last.
inline constexpr std::string_view kSkipMark = R"(,"skipped":true)";
/// Returns the message of an error column; text that is not that JSON is returned as it is.
[[nodiscard]] std::string decodeRowError(std::string_view column);

}  // namespace disttask::proto
