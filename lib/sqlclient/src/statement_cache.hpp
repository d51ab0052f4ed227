#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <cppconn/connection.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace disttask::sqlclient {

/// The rows of a query while somebody reads them. Shared by the Result and its statement, so that whichever goes first,
/// the rows are closed while the connection is still there (the connector crashes otherwise).
struct OpenRows {
  std::unique_ptr<sql::ResultSet> rows;  ///< empty: the connection is gone
};

/// A prepared statement. Two results of one statement share buffers in the connector, so only one may be open at a
/// time.
class PreparedText {
 public:
  PreparedText(sql::Connection& connection, const std::string& text);
  ~PreparedText();
  PreparedText(const PreparedText&) = delete;
  PreparedText& operator=(const PreparedText&) = delete;

  /// True after a failure with large values: the server refuses a value above its packet size again at each further use
  /// of the statement, whatever is bound then, so a new one has to be made.
  [[nodiscard]] bool isSpoilt() const noexcept { return spoilt_; }
  std::int64_t update(std::string_view name, const Values& values);
  std::shared_ptr<OpenRows> query(std::string_view name, const Values& values);

 private:
  void bind(std::string_view name, const Values& values);
  /// The connector keeps copies of what was bound until the next time; over many statements of a megabyte each that
  /// adds up.
  void dropLargeValues(const Values& values);
  /// Runs `send` on what is bound.
  template <typename F>
  auto sent(const Values& values, F send);
  bool spoilt_ = false;
  std::unique_ptr<sql::PreparedStatement> statement_;
  std::weak_ptr<OpenRows> open_;
};

/// The prepared statements of one connection, by text; made ones are evicted beyond a number, constant ones stay.
class StatementCache {
 public:
  using Translate = std::function<std::string(const std::string&)>;
  StatementCache(sql::Connection& connection, Translate translate)
      : connection_(connection), translate_(std::move(translate)) {}
  PreparedText& constant(const std::string& text);
  PreparedText& dynamic(const std::string& text);

 private:
  static constexpr std::size_t kMaxDynamic = 64;
  struct Dynamic {
    std::string text;
    std::unique_ptr<PreparedText> statement;
  };
  [[nodiscard]] std::unique_ptr<PreparedText> prepare(const std::string& text) const;

  sql::Connection& connection_;
  const Translate translate_;
  std::unordered_map<std::string, std::unique_ptr<PreparedText>> constants_;
  std::list<Dynamic> dynamics_;  // most recently used first
};

}  // namespace disttask::sqlclient
