#include "disttask/base/json.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/printable.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace disttask {

static constexpr std::size_t kMaxDepth = 100;
static constexpr auto kMaxInt = std::numeric_limits<std::int64_t>::max();

static Exception wrongKind(std::string_view expected, const Json& found) {
  return Exception(
      ErrorCode::kInvalidArgument, "expected " + std::string(expected) + ", found " + std::string(found.kindName())
  );
}

// What was wrong quotes the text that was read last, whatever its bytes and its length.
static Exception malformed(std::size_t offset, std::string_view why) {
  return Exception(
      ErrorCode::kInvalidArgument, "malformed JSON at byte " + std::to_string(offset) + ": " + toPrintable(why)
  );
}

// Takes the library's own preface off: "[json.exception.parse_error.101] parse error at line 1, column 2: what was
// wrong".
static std::string_view withoutPreface(std::string_view what) {
  if (const auto bracket = what.find("] "); what.starts_with('[') && bracket != std::string_view::npos) {
    what.remove_prefix(bracket + 2);
  }
  constexpr std::string_view kPlace = "parse error at ";
  if (const auto colon = what.find(": "); what.starts_with(kPlace) && colon != std::string_view::npos) {
    what.remove_prefix(colon + 2);
  }
  return what;
}

/// Builds our values from the library's events and writes ours through the library's values.
struct JsonCodec : nlohmann::json_sax<nlohmann::json> {
  explicit JsonCodec(std::size_t text_size) : size(text_size) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(Json(value)); }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return false; }  // JSON text has none
  bool start_object(std::size_t /*elements*/) override { return open(Json(Json::Object())); }
  bool start_array(std::size_t /*elements*/) override { return open(Json(Json::Array())); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    member = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/, const nlohmann::detail::exception& e) override {
    throw malformed(std::min(position == 0 ? 0 : position - 1, size), withoutPreface(e.what()));
  }

  Json* place(Json value) {
    if (stack.empty()) {
      root = std::move(value);
      return &root;
    }
    if (auto* object = std::get_if<Json::Object>(&stack.back()->value_)) {
      return &(object->insert_or_assign(std::move(member), std::move(value)).first->second);
    }
    auto& array = std::get<Json::Array>(stack.back()->value_);
    array.push_back(std::move(value));
    return &array.back();
  }
  bool add(Json value) { return place(std::move(value)) != nullptr; }
  bool open(Json value) {
    if (stack.size() == kMaxDepth) {
      throw Exception(ErrorCode::kInvalidArgument, "malformed JSON: expected at most 100 levels, found more");
    }
    stack.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    stack.pop_back();
    return true;
  }

  static nlohmann::json toLibrary(const Json& value) {
    return std::visit([](const auto& held) { return convert(held); }, value.value_);
  }
  static nlohmann::json convert(std::monostate /*null*/) { return nullptr; }
  static nlohmann::json convert(const Json::Array& array) {
    auto out = nlohmann::json::array();
    for (const auto& item : array) out.push_back(toLibrary(item));
    return out;
  }
  static nlohmann::json convert(const Json::Object& object) {
    auto out = nlohmann::json::object();
    for (const auto& [name, item] : object) out.emplace(name, toLibrary(item));
    return out;
  }
  template <typename Plain>
  static nlohmann::json convert(const Plain& plain) {
    return plain;
  }

  const std::size_t size;
  Json root;
  std::vector<Json*> stack;  // open containers; an element is not moved while it is open
  std::string member;
};

Json::Json(std::uint64_t value) {
  // One form for each number, so that equal numbers compare equal.
  if (value <= static_cast<std::uint64_t>(kMaxInt)) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = value;
  }
}

Json Json::parse(std::string_view text) {
  JsonCodec codec(text.size());
  if (!nlohmann::json::sax_parse(text, &codec)) throw malformed(0, "it holds no value");
  return std::move(codec.root);
}

std::string Json::dump(int indent) const {
  return JsonCodec::toLibrary(*this).dump(
      indent > 0 ? indent : -1, ' ', false, nlohmann::json::error_handler_t::replace
  );
}

bool Json::isInt() const noexcept {
  if (std::holds_alternative<std::int64_t>(value_)) return true;
  const auto* real = std::get_if<double>(&value_);
  constexpr double kLimit = 9223372036854775808.0;  // 2^63, exact
  return real != nullptr && *real >= -kLimit && *real < kLimit && std::trunc(*real) == *real;
}

bool Json::isNumber() const noexcept {
  return std::holds_alternative<std::int64_t>(value_) || std::holds_alternative<std::uint64_t>(value_) ||
         std::holds_alternative<double>(value_);
}

bool Json::asBool() const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  throw wrongKind("bool", *this);
}

std::int64_t Json::asInt() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (isInt()) return static_cast<std::int64_t>(std::get<double>(value_));
  if (isNumber()) throw Exception(ErrorCode::kInvalidArgument, "expected a whole number of 64 bits, found " + dump());
  throw wrongKind("a whole number", *this);
}

double Json::asDouble() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  throw wrongKind("number", *this);
}

const std::string& Json::asString() const {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  throw wrongKind("string", *this);
}

const Json::Array& Json::asArray() const {
  if (const auto* value = std::get_if<Array>(&value_)) return *value;
  throw wrongKind("array", *this);
}

const Json::Object& Json::asObject() const {
  if (const auto* value = std::get_if<Object>(&value_)) return *value;
  throw wrongKind("object", *this);
}

const Json* Json::find(std::string_view key) const noexcept {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  const auto it = object->find(key);
  return it == object->end() ? nullptr : &it->second;
}

Json& Json::operator[](std::string_view key) {
  if (isNull()) value_ = Object();
  if (!isObject()) throw wrongKind("object", *this);
  auto& object = std::get<Object>(value_);
  const auto it = object.find(key);
  return it != object.end() ? it->second : object.emplace(std::string(key), Json()).first->second;
}

void Json::push(Json value) {
  if (isNull()) value_ = Array();
  if (!isArray()) throw wrongKind("array", *this);
  std::get<Array>(value_).push_back(std::move(value));
}

std::string_view Json::kindName() const noexcept {
  if (isNull()) return "null";
  if (isBool()) return "bool";
  if (isString()) return "string";
  if (isArray()) return "array";
  if (isObject()) return "object";
  return "number";
}

}  // namespace disttask
