#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace disttask {

/// A JSON value as plain data. Parsing and writing are done by nlohmann-json behind this header. Thread-compatible.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() noexcept = default;                                    ///< null
  Json(std::nullptr_t) noexcept {}                              // NOLINT: implicit by design
  Json(bool value) : value_(value) {}                           // NOLINT
  Json(int value) : value_(std::int64_t{value}) {}              // NOLINT
  Json(unsigned value) : value_(std::int64_t{value}) {}         // NOLINT
  Json(std::int64_t value) : value_(value) {}                   // NOLINT
  Json(std::uint64_t value);                                    // NOLINT
  Json(double value) : value_(value) {}                         // NOLINT
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  Json(Array value) : value_(std::move(value)) {}               // NOLINT
  Json(Object value) : value_(std::move(value)) {}              // NOLINT

  /// Parses one JSON text (UTF-8, nesting ≤ 100); throws kInvalidArgument with the byte offset and what was expected.
  [[nodiscard]] static Json parse(std::string_view text);
  /// Writes it on one line; with indent > 0 over several. Bytes that are not UTF-8 are replaced by U+FFFD.
  [[nodiscard]] std::string dump(int indent = 0) const;

  [[nodiscard]] bool isNull() const noexcept { return value_.index() == 0; }
  [[nodiscard]] bool isObject() const noexcept { return std::holds_alternative<Object>(value_); }
  [[nodiscard]] bool isArray() const noexcept { return std::holds_alternative<Array>(value_); }
  [[nodiscard]] bool isString() const noexcept { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool isBool() const noexcept { return std::holds_alternative<bool>(value_); }
  /// True for whole numbers that fit int64.
  [[nodiscard]] bool isInt() const noexcept;
  [[nodiscard]] bool isNumber() const noexcept;

  // Each throws kInvalidArgument "expected X, found Y" when the kind differs.
  [[nodiscard]] bool asBool() const;
  [[nodiscard]] std::int64_t asInt() const;
  [[nodiscard]] double asDouble() const;
  [[nodiscard]] const std::string& asString() const;
  [[nodiscard]] const Array& asArray() const;
  [[nodiscard]] const Object& asObject() const;

  /// Returns the member, or nullptr when absent or when this is no object.
  [[nodiscard]] const Json* find(std::string_view key) const noexcept;
  /// Returns the member for writing; makes this an object if it is null.
  Json& operator[](std::string_view key);
  /// Appends; makes this an array if it is null.
  void push(Json value);

  friend bool operator==(const Json&, const Json&) = default;
  /// Returns "null", "bool", "number", "string", "array" or "object".
  [[nodiscard]] std::string_view kindName() const noexcept;

 private:
  friend struct JsonCodec;
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

}  // namespace disttask
