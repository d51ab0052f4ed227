#pragma once
#include "disttask/base/error.hpp"
#include "disttask/sqlclient/connect_settings.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace disttask::sqlclient {

/// Initialises the connector's driver. The first call in a process is not thread-safe: make it in main, before any
/// thread and before any plugin.
void initializeDriver();

enum class Flavour : std::uint8_t { kMariaDb, kMySql, kTiDb };
[[nodiscard]] std::string_view toString(Flavour flavour) noexcept;

/// A named SQL text: the name is what logs and errors show. Instances are constants that live as long as the process.
struct Sql {
  const char* name;
  const char* text;
};

/// A bound value. Integers are always signed 64 bit: a parameter once bound unsigned stays so in this connector.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;
using Values = std::vector<Value>;

/// Gives the next bytes of what is loaded: puts at most `size` at `buffer` and returns how many, 0 at the end.
using LocalSource = std::function<std::size_t(char* buffer, std::size_t size)>;

/// What the server says about a load.
struct Loaded {
  std::int64_t rows = 0;      ///< put in; for `replace` also those deleted
  std::int64_t warnings = 0;  ///< `local` turns what would be an error in a row into one: look
};

/// Rows of one query, read forward. Must be gone before the same statement runs again and before its connection;
/// columns count from 1.
class Result {
 public:
  Result(Result&&) noexcept;
  Result& operator=(Result&&) noexcept;
  ~Result();
  /// Goes to the next row; false after the last.
  bool next();
  [[nodiscard]] bool isNull(std::uint32_t column) const;
  [[nodiscard]] std::int64_t getInt(std::uint32_t column) const;  ///< 0 for NULL
  [[nodiscard]] double getDouble(std::uint32_t column) const;
  [[nodiscard]] std::string getString(std::uint32_t column) const;  ///< "" for NULL; bytes are exact
  [[nodiscard]] std::uint32_t numColumns() const;
  [[nodiscard]] std::string columnName(std::uint32_t column) const;

 private:
  friend class Connection;
  struct Impl;
  explicit Result(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One session: autocommit, READ COMMITTED (design rule 14; open() verifies it). One thread at a time. Every failure is
/// an Exception by the table of sql_error.hpp, with the statement's name, never its values; after one whose connection
/// is gone isBroken() is true and every further call throws kStoreUnavailable: make a new one. A statement whose values
/// are above the server's max_allowed_packet is not sent: kStoreContent.
class Connection {
 public:
  /// Connects to the first endpoint that answers, asserts TLS where asked for, sends the session statements. Throws
  /// kStoreUnavailable when none answers (with each one's reason), kStoreNoPrivilege for a refused login,
  /// kStoreSessionUnfit when TLS or READ COMMITTED is not in force. A read-only server is taken only when no other
  /// endpoint answers.
  static std::unique_ptr<Connection> open(const ConnectSettings& settings);
  ~Connection();

  /// Runs a prepared statement (prepared once per connection) that changes rows; returns matched rows (changed ones
  /// without found_rows).
  std::int64_t update(const Sql& sql, const Values& values);
  /// Runs a prepared query.
  Result query(const Sql& sql, const Values& values);
  /// Prepared statements whose text is made at run time (multi-row forms): cached by text, at most 64 per connection.
  std::int64_t updateDynamic(std::string_view name, const std::string& text, const Values& values);
  Result queryDynamic(std::string_view name, const std::string& text, const Values& values);
  /// Runs one statement as text without binds and throws its rows away, if any: set, DDL; returns how many it changed.
  std::int64_t execute(const std::string& text);

  /// True when load() works here: with libmariadb. With another client library it does not.
  [[nodiscard]] bool canLoad() const noexcept;
  /// Runs a `load data local infile`: the server gets the bytes of `source`, whatever file it asks for. (Outside this
  /// call, and without a source, no server gets anything of this node's files.) Throws kInternal without canLoad(),
  /// what the server refuses (1148 or 4166: it does not allow local loads), and what `source` throws: then the
  /// connection is broken.
  Loaded load(std::string_view name, const std::string& text, const LocalSource& source);

  /// begin / commit / rollback as statements; the connector's own methods hide errors. A commit that failed for another
  /// reason than a conflict or a read-only store throws kStoreUnavailable (outcome unknown) and breaks the connection.
  /// rollback never throws: a failed one breaks the connection.
  void begin();
  void commit();
  void rollback() noexcept;

  /// True between begin() and the end of the transaction.
  [[nodiscard]] bool isInTransaction() const noexcept;
  [[nodiscard]] bool isBroken() const noexcept;
  /// True if its server is read-only: it refused a write, or was so at the connect and another endpoint is configured.
  [[nodiscard]] bool isOnReadOnly() const noexcept;
  /// Marks it for the waste: a pool will not hand it out again.
  void markBroken() noexcept;
  /// Pings the server; false marks it broken.
  bool ping() noexcept;
  [[nodiscard]] Flavour flavour() const noexcept;
  [[nodiscard]] const std::string& serverVersion() const noexcept;
  [[nodiscard]] std::int64_t connectionId() const noexcept;
  [[nodiscard]] const Endpoint& endpoint() const noexcept;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A transaction that rolls back unless committed. The first statement after an exception is the rollback; a broken
/// connection needs none.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) { connection_.begin(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (open_) connection_.rollback();
  }
  /// Commits; throws kStoreUnavailable when the outcome is unknown.
  void commit() {
    open_ = false;
    connection_.commit();
  }

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace disttask::sqlclient
