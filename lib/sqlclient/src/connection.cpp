#include "disttask/sqlclient/connection.hpp"

#include "connector.hpp"
#include "disttask/sqlclient/sql_error.hpp"
#include "result_impl.hpp"
#include "session.hpp"
#include "statement_cache.hpp"

#include <cppconn/connection.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>

#include <optional>

namespace disttask::sqlclient {

std::string Endpoint::toString() const {
  if (!socket.empty()) return "socket " + socket;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string_view toString(Flavour flavour) noexcept {
  switch (flavour) {
    case Flavour::kMariaDb:
      return "MariaDB";
    case Flavour::kMySql:
      return "MySQL";
    case Flavour::kTiDb:
      return "TiDB";
  }
  return "unknown";
}

struct Connection::Impl {
  LocalFeed feed;  // before `driver`: it knows where this is
  std::unique_ptr<sql::Connection> driver;
  std::unique_ptr<sql::Statement> text;
  std::optional<StatementCache> statements;  // after `driver`: statements and their rows go before their connection
  SessionFacts facts;
  Endpoint endpoint;
  std::function<void(const Error&)> on_error;
  bool leave_when_read_only = false;  // another endpoint may take writes
  bool on_read_only = false;
  bool broken = false;
  bool in_transaction = false;

  void throwIfBroken(std::string_view name) const {
    if (!broken) return;
    throw Exception(ErrorCode::kStoreUnavailable, std::string(name) + ": the connection broke before");
  }

  /// A packet above the server's limit is answered by a closed connection, which tells nothing about why; so it is not
  /// sent. Counts what a packet holds at most beside the values.
  void throwIfTooLarge(std::string_view name, const Values& values) const {
    std::size_t bytes = 16 + 12 * values.size();
    for (const auto& value : values) {
      if (const auto* bound = std::get_if<std::string>(&value)) bytes += bound->size();
    }
    throwIfTooLarge(name, bytes);
  }
  void throwIfTooLarge(std::string_view name, std::size_t bytes) const {
    if (facts.max_packet == 0 || bytes < static_cast<std::size_t>(facts.max_packet)) return;
    constexpr int kPacketTooLarge = 1153;
    throw Exception(makeSqlError(
        kPacketTooLarge,
        "08S01",
        name,
        "values of " + std::to_string(bytes) + " bytes; max_allowed_packet of the server is " +
            std::to_string(facts.max_packet)
    ));
  }

  /// Runs `body`; the connector's exceptions become ours and mark the connection when it cannot be used again.
  template <typename F>
  auto guarded(std::string_view name, F body) {
    throwIfBroken(name);
    try {
      return body();
    } catch (...) {  // the connector's exceptions do not leave this component
      broken = broken || currentErrorBreaksConnection();
      auto error = currentSqlError(name);
      if (error.code() == ErrorCode::kStoreReadOnly) {
        on_read_only = true;
        broken = broken || leave_when_read_only;
      }
      if (on_error) on_error(error);
      throw Exception(std::move(error));
    }
  }

  std::int64_t execute(std::string_view name, const std::string& statement) {
    return guarded(name, [&] {
      throwIfTooLarge(name, statement.size() + 1);
      if (!text) text.reset(driver->createStatement());
      // Rows left behind would make every later statement of the session fail.
      if (text->execute(statement)) {
        do {
          const std::unique_ptr<sql::ResultSet> rows(text->getResultSet());
        } while (text->getMoreResults());
        return std::int64_t{0};
      }
      return static_cast<std::int64_t>(text->getUpdateCount());
    });
  }
};

namespace {

/// What an endpoint answered instead of a session; the most telling one is thrown when none gives a session.
class Refusals {
 public:
  void add(const Endpoint& endpoint, const Error& error) {
    text_.append(text_.empty() ? "" : "; ").append(endpoint.toString()).append(": ").append(error.message());
    if (!first_ || (first_->code() == ErrorCode::kStoreUnavailable && error.code() != ErrorCode::kStoreUnavailable)) {
      first_ = error;
    }
  }
  [[noreturn]] void throwAll() const {
    if (!first_) throw Exception(ErrorCode::kInvalidArgument, "no store endpoint is configured");
    const bool gone = first_->code() == ErrorCode::kStoreUnavailable;
    // Nothing was sent, so there is no outcome to find out: come back later.
    Error error(first_->code(), gone ? Reaction::kBackOff : first_->reaction(), "cannot use the store: " + text_);
    throw Exception(error.setStoreNumber(first_->storeNumber()));
  }

 private:
  std::optional<Error> first_;
  std::string text_;
};

std::string readPassword(const ConnectSettings& settings) {
  return settings.password ? settings.password() : "";
}

/// A TLS failure while connecting is a matter of configuration, not of a lost statement.
Error connectError(const ConnectSettings& settings) {
  constexpr int kTlsError = 2026;
  auto error = currentSqlError("connect");
  if (settings.tls.mode == TlsMode::kVerify && error.storeNumber() == kTlsError) {
    Error unfit(ErrorCode::kStoreSessionUnfit, "TLS with a verified server is asked for: " + error.message());
    return unfit.setStoreNumber(kTlsError);
  }
  return error;
}

}  // namespace

std::unique_ptr<Connection> Connection::open(const ConnectSettings& settings) {
  if (settings.tls.mode == TlsMode::kVerify && settings.tls.ca.empty()) {
    throw Exception(ErrorCode::kInvalidConfig, "TLS with verification needs the file of its certificate authority");
  }
  Refusals refusals;
  std::unique_ptr<Connection> read_only;
  for (const auto& endpoint : settings.endpoints) {
    try {
      auto impl = std::make_unique<Impl>();
      impl->driver = connectDriver(settings, endpoint, readPassword(settings), impl->feed);
      impl->endpoint = endpoint;
      impl->on_error = settings.on_error;
      impl->leave_when_read_only = settings.endpoints.size() > 1;
      impl->facts = prepareSession(*impl->driver, settings);
      impl->statements.emplace(*impl->driver, settings.translate);
      const bool writable = !impl->facts.read_only;
      // Where there is no other endpoint, only a refused write tells: who may write all the same keeps the session.
      impl->on_read_only = !writable && impl->leave_when_read_only;
      std::unique_ptr<Connection> connection(new Connection(std::move(impl)));
      if (writable || settings.endpoints.size() == 1) return connection;
      if (!read_only) read_only = std::move(connection);
    } catch (...) {  // each endpoint's reason is kept; the last word is Refusals'
      refusals.add(endpoint, connectError(settings));
    }
  }
  if (read_only) return read_only;
  refusals.throwAll();
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

std::int64_t Connection::update(const Sql& sql, const Values& values) {
  return impl_->guarded(sql.name, [&] {
    impl_->throwIfTooLarge(sql.name, values);
    return impl_->statements->constant(sql.text).update(sql.name, values);
  });
}

Result Connection::query(const Sql& sql, const Values& values) {
  return impl_->guarded(sql.name, [&] {
    impl_->throwIfTooLarge(sql.name, values);
    auto rows = impl_->statements->constant(sql.text).query(sql.name, values);
    return Result(std::make_unique<Result::Impl>(std::move(rows), sql.name));
  });
}

std::int64_t Connection::updateDynamic(std::string_view name, const std::string& text, const Values& values) {
  return impl_->guarded(name, [&] {
    impl_->throwIfTooLarge(name, values);
    return impl_->statements->dynamic(text).update(name, values);
  });
}

Result Connection::queryDynamic(std::string_view name, const std::string& text, const Values& values) {
  return impl_->guarded(name, [&] {
    impl_->throwIfTooLarge(name, values);
    auto rows = impl_->statements->dynamic(text).query(name, values);
    return Result(std::make_unique<Result::Impl>(std::move(rows), std::string(name)));
  });
}

std::int64_t Connection::execute(const std::string& text) {
  return impl_->execute(std::string_view(text).substr(0, text.find_first_of(" \n")), text);
}

bool Connection::canLoad() const noexcept {
  return impl_->feed.isUsable();
}

Loaded Connection::load(std::string_view name, const std::string& text, const LocalSource& source) {
  if (!canLoad()) {
    throw Exception(ErrorCode::kInternal, std::string(name) + ": the client library cannot be given rows to load");
  }
  try {
    return impl_->feed.serve(source, [&] {
      Loaded loaded;
      loaded.rows = impl_->execute(name, text);
      loaded.warnings = impl_->feed.numWarnings();
      return loaded;
    });
  } catch (...) {
    // The server took the rows before the failure for all: nobody may go on with this session.
    if (impl_->feed.hasFailed()) impl_->broken = true;
    throw;
  }
}

void Connection::begin() {
  impl_->throwIfBroken("begin");
  if (!impl_->facts.begins_by_itself) impl_->execute("begin", "begin");
  impl_->in_transaction = true;
}

void Connection::commit() {
  try {
    impl_->execute("commit", "commit");
    impl_->in_transaction = false;
  } catch (const Exception& e) {
    // A conflict (also a refused certification) and a read-only server rolled the transaction back; any other failure
    // tells nothing.
    const auto code = e.error().code();
    if (code == ErrorCode::kStoreConflict || code == ErrorCode::kStoreReadOnly) {
      rollback();
      throw;
    }
    impl_->broken = true;
    Error error(ErrorCode::kStoreUnavailable, "the outcome is unknown: " + e.error().message());
    throw Exception(error.setStoreNumber(e.error().storeNumber()));
  }
}

void Connection::rollback() noexcept {
  try {
    if (!impl_->broken) impl_->execute("rollback", "rollback");
  } catch (const Exception&) {  // the server rolls back when the session ends
    impl_->broken = true;
  }
  impl_->in_transaction = false;
}

bool Connection::isInTransaction() const noexcept {
  return impl_->in_transaction;
}
bool Connection::isBroken() const noexcept {
  return impl_->broken;
}
bool Connection::isOnReadOnly() const noexcept {
  return impl_->on_read_only;
}
void Connection::markBroken() noexcept {
  impl_->broken = true;
}

bool Connection::ping() noexcept {
  if (impl_->broken) return false;
  try {
    impl_->broken = !impl_->driver->isValid();
  } catch (...) {  // a destructor-like call: the answer is no
    impl_->broken = true;
  }
  return !impl_->broken;
}

Flavour Connection::flavour() const noexcept {
  return impl_->facts.flavour;
}
const std::string& Connection::serverVersion() const noexcept {
  return impl_->facts.version;
}
std::int64_t Connection::connectionId() const noexcept {
  return impl_->facts.connection_id;
}
const Endpoint& Connection::endpoint() const noexcept {
  return impl_->endpoint;
}

}  // namespace disttask::sqlclient
