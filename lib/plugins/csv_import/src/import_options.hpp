#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

enum class Charset : std::uint8_t {
  kUtf8,    ///< every field must be valid UTF-8, unless its column is binary
  kBinary,  ///< only fields of text columns must be; numbers and other types take what the server takes
};
enum class Into : std::uint8_t { kEmpty, kAppend };
enum class OnDuplicate : std::uint8_t { kError, kIgnore, kReplace };

[[nodiscard]] std::string_view toString(Into into) noexcept;
[[nodiscard]] std::string_view toString(OnDuplicate mode) noexcept;

inline constexpr std::int64_t kMinChunkBytes = 1024;
inline constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 30;

/// What the submitter asked for: the task meta, checked. Thread-compatible.
struct ImportOptions {
  std::string file;
  std::string connection;
  std::string schema;
  std::string table;
  std::vector<std::string> columns;  ///< empty: the header names them
  bool header = true;
  std::int64_t skip_lines = 0;  ///< physical lines before the header
  char delimiter = ',';
  char quote = '"';
  Charset charset = Charset::kUtf8;
  std::optional<std::string> null_text = "";  ///< an unquoted field with this text is NULL; none: nothing is
  Into into = Into::kEmpty;
  OnDuplicate on_duplicate = OnDuplicate::kError;
  std::int64_t max_bad_records = 0;
  std::int64_t chunk_bytes = std::int64_t{4} << 20;
  std::optional<std::int64_t> resume_of;  ///< an earlier task whose ledger rows count as done
};

/// Parses and checks a task meta; throws kInvalidArgument with one sentence that names the key.
[[nodiscard]] ImportOptions parseOptions(std::string_view meta);

/// Returns a text that is equal for two metas exactly when their chunks do the same work: what a resumed task must
/// share with the first one.
[[nodiscard]] std::string identityOf(const ImportOptions& options);

}  // namespace disttask::csv_import
