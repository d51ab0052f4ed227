#include "connector.hpp"
#include "result_impl.hpp"

#include <cppconn/resultset_metadata.h>

namespace disttask::sqlclient {

template <typename F>
auto Result::Impl::with(F read) const {
  if (!open || !open->rows) {
    throw Exception(ErrorCode::kInternal, name + ": its rows are read after the connection or the statement is gone");
  }
  try {
    return read(*open->rows);
  } catch (...) {  // the connector's exceptions do not leave this component
    throw Exception(currentSqlError(name));
  }
}

Result::Result(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Result::Result(Result&&) noexcept = default;
Result& Result::operator=(Result&&) noexcept = default;
Result::~Result() = default;

bool Result::next() {
  return impl_->with([](sql::ResultSet& rows) { return rows.next(); });
}

bool Result::isNull(std::uint32_t column) const {
  return impl_->with([&](sql::ResultSet& rows) { return rows.isNull(column); });
}

std::int64_t Result::getInt(std::uint32_t column) const {
  return impl_->with([&](sql::ResultSet& rows) { return std::int64_t{rows.getInt64(column)}; });
}

double Result::getDouble(std::uint32_t column) const {
  return impl_->with([&](sql::ResultSet& rows) { return static_cast<double>(rows.getDouble(column)); });
}

std::string Result::getString(std::uint32_t column) const {
  return impl_->with([&](sql::ResultSet& rows) { return rows.getString(column).asStdString(); });
}

std::uint32_t Result::numColumns() const {
  return impl_->with([](sql::ResultSet& rows) { return rows.getMetaData()->getColumnCount(); });
}

std::string Result::columnName(std::uint32_t column) const {
  return impl_->with([&](sql::ResultSet& rows) { return rows.getMetaData()->getColumnLabel(column).asStdString(); });
}

}  // namespace disttask::sqlclient
