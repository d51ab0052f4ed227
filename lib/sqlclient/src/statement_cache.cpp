#include "statement_cache.hpp"

#include <cppconn/datatype.h>

namespace disttask::sqlclient {

namespace {

/// True for values that are worth a call of their own.
bool areLarge(const Values& values) {
  constexpr std::size_t kWorthACall = 64 << 10;
  std::size_t size = 0;
  for (const auto& value : values) {
    if (const auto* text = std::get_if<std::string>(&value)) size += text->size();
  }
  return size > kWorthACall;
}

}  // namespace

PreparedText::PreparedText(sql::Connection& connection, const std::string& text)
    : statement_(connection.prepareStatement(text)) {}

PreparedText::~PreparedText() {
  if (const auto open = open_.lock()) open->rows.reset();
}

void PreparedText::bind(std::string_view name, const Values& values) {
  if (const auto open = open_.lock(); open && open->rows) {
    throw Exception(ErrorCode::kInternal, std::string(name) + ": runs again while its rows are still read");
  }
  unsigned index = 0;
  for (const auto& value : values) {
    ++index;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      statement_->setInt64(index, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      statement_->setString(index, *text);
    } else if (const auto* real = std::get_if<double>(&value)) {
      statement_->setDouble(index, *real);
    } else {
      statement_->setNull(index, 0);
    }
  }
}

void PreparedText::dropLargeValues(const Values& values) {
  if (areLarge(values)) statement_->clearParameters();
}

template <typename F>
auto PreparedText::sent(const Values& values, F send) {
  try {
    return send();
  } catch (...) {
    spoilt_ = areLarge(values);
    throw;
  }
}

std::int64_t PreparedText::update(std::string_view name, const Values& values) {
  bind(name, values);
  const std::int64_t count = sent(values, [this] { return statement_->executeUpdate(); });
  dropLargeValues(values);
  return count;
}

std::shared_ptr<OpenRows> PreparedText::query(std::string_view name, const Values& values) {
  bind(name, values);
  auto open = std::make_shared<OpenRows>();
  open->rows.reset(sent(values, [this] { return statement_->executeQuery(); }));
  dropLargeValues(values);
  open_ = open;
  return open;
}

std::unique_ptr<PreparedText> StatementCache::prepare(const std::string& text) const {
  return std::make_unique<PreparedText>(connection_, translate_ ? translate_(text) : text);
}

PreparedText& StatementCache::constant(const std::string& text) {
  auto& slot = constants_[text];
  if (!slot || slot->isSpoilt()) slot = prepare(text);
  return *slot;
}

PreparedText& StatementCache::dynamic(const std::string& text) {
  for (auto it = dynamics_.begin(); it != dynamics_.end(); ++it) {
    if (it->text != text) continue;
    if (it->statement->isSpoilt()) it->statement = prepare(text);
    dynamics_.splice(dynamics_.begin(), dynamics_, it);
    return *it->statement;
  }
  auto statement = prepare(text);
  dynamics_.push_front({text, std::move(statement)});
  if (dynamics_.size() > kMaxDynamic) dynamics_.pop_back();
  return *dynamics_.front().statement;
}

}  // namespace disttask::sqlclient
