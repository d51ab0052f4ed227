#include "connector.hpp"

#include "disttask/sqlclient/sql_error.hpp"

#include <cppconn/exception.h>
#include <mysql_driver.h>

#include <algorithm>
#include <limits>
#include <set>

namespace disttask::sqlclient {

namespace {

sql::mysql::MySQL_Driver& driver() {
  static sql::mysql::MySQL_Driver* const instance = [] {
    auto* const made = sql::mysql::get_mysql_driver_instance();
    LocalFeed::initialize();
    return made;
  }();
  return *instance;
}

int toSeconds(std::chrono::seconds duration) {
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<std::int64_t>(duration.count(), 1, kMax));
}

/// The connector ignores a name that it does not know, and a value of another type is an exception at best; so names
/// and types stand in this one place. Not here on purpose: OPT_RECONNECT (a new session in silence), OPT_SSL_MODE and
/// sslEnforce (no effect), OPT_MAX_ALLOWED_PACKET and OPT_NET_BUFFER_LENGTH (misread by the client library).
class Options {
 public:
  Options& set(const char* name, const std::string& value) {
    map_[name] = sql::SQLString(value);
    return *this;
  }
  Options& set(const char* name, bool value) {
    map_[name] = value;
    return *this;
  }
  Options& set(const char* name, int value) {
    map_[name] = value;
    return *this;
  }
  sql::ConnectOptionsMap& map() { return map_; }

 private:
  sql::ConnectOptionsMap map_;
};

std::string urlOf(const Endpoint& endpoint) {
  if (!endpoint.socket.empty()) return "unix://" + endpoint.socket;
  const bool ipv6 = endpoint.host.find(':') != std::string::npos;
  return "tcp://" + (ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace

void initializeDriver() {
  static_cast<void>(driver());
}

std::unique_ptr<sql::Connection> connectDriver(
    const ConnectSettings& settings, const Endpoint& endpoint, const std::string& password, LocalFeed& feed
) {
  Options options;
  options.set("hostName", urlOf(endpoint))
      .set("userName", settings.user)
      .set("password", password)
      .set("OPT_CONNECT_TIMEOUT", toSeconds(settings.connect_timeout))
      .set("OPT_READ_TIMEOUT", toSeconds(settings.read_timeout))
      .set("OPT_WRITE_TIMEOUT", toSeconds(settings.write_timeout))
      .set("OPT_CHARSET_NAME", std::string("utf8mb4"))
      .set("CLIENT_FOUND_ROWS", settings.found_rows);
  if (!settings.schema.empty()) options.set("schema", settings.schema);
  if (settings.tls.mode == TlsMode::kVerify) {
    options.set("sslVerify", true).set("sslCA", settings.tls.ca);
    if (!settings.tls.cert.empty()) options.set("sslCert", settings.tls.cert).set("sslKey", settings.tls.key);
  }
  auto& instance = driver();
  return feed.attach([&] { return std::unique_ptr<sql::Connection>(instance.connect(options.map())); });
}

Error currentSqlError(std::string_view statement_name) noexcept {
  try {
    throw;
  } catch (const Exception& e) {
    return e.error();
  } catch (const sql::MethodNotImplementedException& e) {
    return {ErrorCode::kInternal, std::string(statement_name) + ": the connector cannot do this: " + e.what()};
  } catch (const sql::InvalidArgumentException& e) {
    return {ErrorCode::kInternal, std::string(statement_name) + ": the connector refuses an argument: " + e.what()};
  } catch (const sql::SQLException& e) {  // last of the connector's: the others derive from it
    return makeSqlError(e.getErrorCode(), e.getSQLState(), statement_name, e.what());
  } catch (...) {  // not the connector's: out of memory and the like
    auto error = currentError();
    return error.addContext(statement_name);
  }
}

bool currentErrorBreaksConnection() noexcept {
  try {
    throw;
  } catch (const Exception&) {
    return false;  // ours, thrown before anything was sent
  } catch (const sql::MethodNotImplementedException&) {
    return false;
  } catch (const sql::InvalidArgumentException&) {
    return false;
  } catch (const sql::SQLException& e) {
    const auto error = makeSqlError(e.getErrorCode(), e.getSQLState(), "", e.what());
    return error.reaction() == Reaction::kReconnect;
  } catch (...) {  // out of memory in mid-reply or the like: where the protocol stands is unknown
    return true;
  }
}

}  // namespace disttask::sqlclient
