#include "session.hpp"

#include "disttask/base/error.hpp"

#include <cppconn/exception.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>

#include <map>
#include <memory>

namespace disttask::sqlclient {

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Flavour flavourOf(const std::string& version) {
  if (version.find("MariaDB") != std::string::npos) return Flavour::kMariaDb;
  if (version.find("TiDB") != std::string::npos) return Flavour::kTiDb;
  return Flavour::kMySql;
}

/// Reads a two-column list of names and values; names that the server does not know are simply not in it.
Variables readPairs(sql::Statement& statement, const std::string& text) {
  const std::unique_ptr<sql::ResultSet> rows(statement.executeQuery(text));
  Variables pairs;
  while (rows->next()) pairs[rows->getString(1).asStdString()] = rows->getString(2).asStdString();
  return pairs;
}

std::string valueOf(const Variables& variables, std::string_view name) {
  const auto it = variables.find(name);
  return it == variables.end() ? std::string() : it->second;
}

[[noreturn]] void unfit(const std::string& why) {
  throw Exception(ErrorCode::kStoreSessionUnfit, why);
}

void assertTls(sql::Statement& statement, const ConnectSettings& settings) {
  if (settings.tls.mode != TlsMode::kVerify) return;
  // The connector's options say what was wished; only the session's own status says what is.
  if (valueOf(readPairs(statement, "show session status like 'Ssl_cipher'"), "Ssl_cipher").empty()) {
    unfit("TLS is asked for, but this session is not encrypted");
  }
}

void sendTuning(sql::Statement& statement, const std::vector<std::string>& texts) {
  constexpr int kUnknownVariable = 1193;
  for (const auto& text : texts) {
    try {
      statement.executeUpdate(text);
    } catch (const sql::SQLException& e) {
      if (e.getErrorCode() != kUnknownVariable) throw;
    }
  }
}

void sendSettings(sql::Statement& statement, const ConnectSettings& settings, Flavour flavour) {
  statement.executeUpdate("set session transaction isolation level read committed");
  if (flavour == Flavour::kTiDb) statement.executeUpdate("set session tidb_txn_mode = 'pessimistic'");
  if (const auto limit = settings.idle_transaction_limit.count(); limit > 0) {
    const char* const variable = flavour == Flavour::kMariaDb ? "idle_transaction_timeout"
                                 : flavour == Flavour::kTiDb  ? "tidb_idle_transaction_timeout"
                                                              : "wait_timeout";
    statement.executeUpdate(std::string("set session ") + variable + " = " + std::to_string(limit));
  }
  for (const auto& text : settings.session) statement.executeUpdate(text);
  if (flavour == Flavour::kTiDb) sendTuning(statement, settings.tidb_tuning);
}

void verifySettings(const Variables& variables, Flavour flavour) {
  // MySQL 8 has one name, MariaDB 10 the other.
  auto isolation = valueOf(variables, "transaction_isolation");
  if (isolation.empty()) isolation = valueOf(variables, "tx_isolation");
  if (isolation != "READ-COMMITTED")
    unfit("READ COMMITTED is not in force: the isolation level is '" + isolation + "'");
  if (flavour == Flavour::kTiDb && valueOf(variables, "tidb_txn_mode") != "pessimistic") {
    unfit("pessimistic transactions are not in force (tidb_txn_mode)");
  }
  // Error 1665 at every write otherwise. TiDB shows the variable but has no binary log.
  const bool logs_statements =
      valueOf(variables, "log_bin") == "ON" && valueOf(variables, "binlog_format") == "STATEMENT";
  if (flavour != Flavour::kTiDb && logs_statements) {
    unfit("binlog_format=STATEMENT does not allow READ COMMITTED; the server needs binlog_format=ROW or MIXED");
  }
}

bool isOn(const std::string& value) {
  return !value.empty() && value != "OFF" && value != "0" && value != "NO_LOCK";
}

}  // namespace

SessionFacts prepareSession(sql::Connection& connection, const ConnectSettings& settings) {
  const std::unique_ptr<sql::Statement> statement(connection.createStatement());
  assertTls(*statement, settings);
  SessionFacts facts;
  {
    const std::unique_ptr<sql::ResultSet> row(statement->executeQuery("select connection_id(), version()"));
    if (!row->next()) unfit("the server does not say its version");
    facts.connection_id = row->getInt64(1);
    facts.version = row->getString(2).asStdString();
    facts.flavour = flavourOf(facts.version);
  }
  sendSettings(*statement, settings, facts.flavour);
  const auto variables = readPairs(
      *statement,
      "show session variables where variable_name in ('transaction_isolation', 'tx_isolation', 'binlog_format', "
      "'log_bin', "
      "'read_only', 'tidb_txn_mode', 'max_allowed_packet')"
  );
  verifySettings(variables, facts.flavour);
  facts.read_only = isOn(valueOf(variables, "read_only"));
  if (const auto packet = valueOf(variables, "max_allowed_packet"); !packet.empty()) {
    facts.max_packet = std::stoll(packet);
  }
  if (settings.only_transactions && facts.flavour == Flavour::kTiDb) {
    statement->executeUpdate("set session autocommit = 0");  // last: what comes after it is in a transaction
    facts.begins_by_itself = true;
  }
  return facts;
}

}  // namespace disttask::sqlclient
