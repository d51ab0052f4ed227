#include "disttask/storage/mysql/schema.hpp"

#include "schema_inspection.hpp"
#include "schema_lease.hpp"
#include "schema_sql.hpp"
#include "store_context.hpp"

#include "statements/schema.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>

namespace disttask::storage::mysql {

namespace {

constexpr std::string_view kInstallCommand = "disttaskctl schema install";

struct SchemaRow {
  std::int32_t version = 0;
  std::string store_id;
};

std::optional<SchemaRow> readRow(Connection& connection) {
  auto rows = connection.query(statements::kReadSchemaRow, {});
  if (!rows.next()) return std::nullopt;
  return SchemaRow{static_cast<std::int32_t>(rows.getInt(1)), rows.getString(4)};
}

/// The database of our own tables: beside a live TiDB not the one of the DXF tables.
const std::string& ownSchema(const StoreSettings& settings) {
  return settings.side_schema.empty() ? settings.schema : settings.side_schema;
}

/// The tables that are ours to make.
std::vector<statements::TableDefinition> ownTables(const StoreSettings& settings) {
  std::vector<statements::TableDefinition> tables;
  for (const auto& table : statements::kTables) {
    if (settings.side_schema.empty() || table.name.starts_with("disttask_")) tables.push_back(table);
  }
  return tables;
}

/// Two sets of DXF tables with one set of side tables would mix up their nodes and attempts.
void refuseUnfitSideSchema(Connection& connection, const StoreSettings& settings) {
  if (settings.side_schema.empty()) return;
  const auto refuse = [&](const std::string& why) {
    throw Exception(ErrorCode::kStoreSchema, "side schema '" + settings.side_schema + "' " + why);
  };
  if (settings.side_schema == settings.schema) refuse("is the schema of TiDB's own tables; name another");
  const auto& task_table = statements::kTables[0].name;
  if (hasTable(connection, task_table))
    refuse("has a table " + std::string(task_table) + ", so it serves tasks of its own; name another");
}

void refuseNewer(std::int32_t version, const std::string& schema) {
  if (version <= Schema::kVersion) return;
  throw Exception(
      ErrorCode::kStoreSchema,
      "schema '" + schema + "' has version " + std::to_string(version) + ", newer than this program's version " +
          std::to_string(Schema::kVersion) + "; use the newer program"
  );
}

/// One step of a change: `isDone` looks at the server, `act` changes it. Looked at again after each failure, because
/// DDL is not transactional, another may have done it, and an answer may have been lost.
void runStep(
    const runtime::Call& call,
    runtime::Clock& clock,
    const std::function<bool()>& is_done,
    const std::function<void()>& act
) {
  constexpr std::chrono::milliseconds kPause{200};
  runtime::Wakeup pause(clock);
  while (!is_done()) {
    try {
      act();
    } catch (const Exception& e) {
      if (e.error().reaction() == Reaction::kReconnect) throw;  // the next run looks where this one came to
      if (e.error().code() ==
          ErrorCode::kStoreConflict) {  // a metadata lock: somebody's transaction is open on the table
        pause.waitFor(call.token, kPause);
      } else if (!is_done()) {
        throw;
      }
    }
    call.check("changing the schema");
  }
}

/// One installation: its connection, its lease, and what it did.
class Installer {
 public:
  Installer(const runtime::Call& call, StoreContext& context)
      : call_(call), context_(context), schema_(ownSchema(context.settings())) {}

  std::vector<std::string> run() {
    makeDatabase();
    connection_ = Connection::open(context_.ddlConnect(true));
    refuseUnfitSideSchema(*connection_, context_.settings());
    if (isUpToDate()) return {};
    makeSchemaTable();
    const SchemaLease lease(call_, context_.ddlConnect(true), context_.clock());
    refuseNewer(readRow(*connection_).value_or(SchemaRow{}).version, schema_);
    for (const auto& table : ownTables(context_.settings())) {
      lease.throwIfLost();
      makeTable(table, lease);
    }
    for (const auto& row : statements::kSeedRows) connection_->update(row.insert, {});
    writeVersion(lease);
    return std::move(done_);
  }

 private:
  void makeDatabase() {
    const auto connection = Connection::open(context_.ddlConnect(false));
    if (hasDatabase(*connection, schema_)) return;
    runStep(
        call_,
        context_.clock(),
        [&] { return hasDatabase(*connection, schema_); },
        [&] { connection->execute(createDatabaseSql(schema_)); }
    );
    done_.push_back("made database " + schema_);
  }

  bool isUpToDate() {
    if (!hasTable(*connection_, statements::kSchemaTable.name)) return false;
    const auto row = readRow(*connection_);
    if (!row) return false;
    refuseNewer(row->version, schema_);
    if (row->version != Schema::kVersion || row->store_id.empty()) return false;
    for (const auto& table : ownTables(context_.settings())) {
      if (!inspectTable(*connection_, schema_, table).problems.empty()) return false;
    }
    return true;
  }

  void makeSchemaTable() {
    const auto& table = statements::kSchemaTable;
    runStep(
        call_,
        context_.clock(),
        [&] { return hasTable(*connection_, table.name); },
        [&] { connection_->execute(createTableSql(table, quoteName(table.name))); }
    );
    refuseDifferent(table);
    connection_->update(statements::kSeedSchemaRow, {});
  }

  void makeTable(const statements::TableDefinition& table, const SchemaLease& lease) {
    const std::string name(table.name);
    const bool missing = !hasTable(*connection_, name);
    runStep(
        call_,
        context_.clock(),
        [&] { return hasTable(*connection_, name); },
        [&] { connection_->execute(createTableSql(table, quoteName(name))); }
    );
    if (missing) done_.push_back("made table " + name);
    refuseDifferent(table);
    for (const auto* index : inspectTable(*connection_, schema_, table).missing_indexes) {
      lease.throwIfLost();
      const auto is_there = [&] {
        const auto still_missing = inspectTable(*connection_, schema_, table).missing_indexes;
        return std::find(still_missing.begin(), still_missing.end(), index) == still_missing.end();
      };
      runStep(call_, context_.clock(), is_there, [&] { connection_->execute(createIndexSql(name, *index)); });
      done_.push_back("made index " + std::string(index->name) + " of table " + name);
    }
  }

  void refuseDifferent(const statements::TableDefinition& table) {
    const auto findings = inspectTable(*connection_, schema_, table);
    if (findings.differences.empty()) return;
    throw Exception(
        ErrorCode::kStoreSchema,
        "schema '" + schema_ + "': " + findings.differences.front() +
            "; this is not mended by itself, see `disttaskctl schema status`"
    );
  }

  void writeVersion(const SchemaLease& lease) {
    const auto before = readRow(*connection_).value_or(SchemaRow{}).version;
    if (connection_->update(statements::kWriteVersion, {std::int64_t{Schema::kVersion}, lease.changer()}) != 1) {
      throw Exception(ErrorCode::kLost, "the right to change the schema was lost; run the installation again");
    }
    if (before != Schema::kVersion) done_.push_back("wrote version " + std::to_string(Schema::kVersion));
  }

  const runtime::Call& call_;
  StoreContext& context_;
  const std::string schema_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::string> done_;
};

}  // namespace

std::vector<std::string> Schema::install(const runtime::Call& call) {
  return Installer(call, context_).run();
}

SchemaStatus Schema::status(const runtime::Call& call) {
  SchemaStatus status;
  status.version_expected = kVersion;
  const auto& schema = ownSchema(context_.settings());
  call.check("looking at the schema");
  if (!hasDatabase(*Connection::open(context_.ddlConnect(false)), schema)) {
    status.problems.push_back("database " + schema + " is missing");
    return status;
  }
  const auto connection = Connection::open(context_.ddlConnect(true));
  const auto look = [&](const statements::TableDefinition& table) {
    call.check("looking at the schema");
    auto findings = inspectTable(*connection, schema, table);
    std::move(findings.problems.begin(), findings.problems.end(), std::back_inserter(status.problems));
    return !findings.missing;
  };
  if (look(statements::kSchemaTable)) {
    const auto row = readRow(*connection);
    if (!row) status.problems.emplace_back("table disttask_schema has lost its row");
    status.version_found = row.value_or(SchemaRow{}).version;
  }
  for (const auto& table : ownTables(context_.settings())) {
    // The version says already that what came later is not there.
    const bool comes_later = table.name == statements::kRunLogTable && status.version_found == kVersionOfRunLogs - 1;
    if (!comes_later) look(table);
  }
  if (auto* dialect = context_.dialect()) {
    try {
      refuseUnfitSideSchema(*connection, context_.settings());
      static_cast<void>(dialect->shape());
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kStoreSchema) throw;
      status.problems.push_back(e.error().message());
    }
  }
  return status;
}

void Schema::check(const runtime::Call& call) {
  const auto& schema = ownSchema(context_.settings());
  const auto refuse = [&](const std::string& finding) {
    throw Exception(
        ErrorCode::kStoreSchema, "schema '" + schema + "' " + finding + "; run `" + std::string(kInstallCommand) + "`"
    );
  };
  std::optional<SchemaRow> row;
  try {
    row = context_.read(call, "schema.check", readRow);
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kStoreSchema) throw;
    refuse("is missing or lacks the tables of disttask (" + e.error().message() + ")");
  }
  if (!row || row->version == 0) refuse("was not installed to the end");
  refuseNewer(row->version, schema);
  if (row->version < kVersion - 1) refuse("has version " + std::to_string(row->version) + ", too old for this program");
  if (auto* dialect = context_.dialect()) {
    context_.read(call, "schema.check", [&](Connection& connection) {
      refuseUnfitSideSchema(connection, context_.settings());
    });
    static_cast<void>(dialect->shape());
  }
}

std::string Schema::dump() const {
  return dumpSql(ownSchema(context_.settings()), kVersion, ownTables(context_.settings()));
}

std::string Schema::readStoreId(const runtime::Call& call) {
  const auto row = context_.read(call, "schema.store_id", readRow);
  if (row && !row->store_id.empty()) return row->store_id;
  throw Exception(
      ErrorCode::kStoreSchema,
      "schema '" + ownSchema(context_.settings()) + "' has no store id; run `" + std::string(kInstallCommand) + "`"
  );
}

bool installLedger(const runtime::Call& call, const sqlclient::ConnectSettings& connect, const std::string& table) {
  const auto connection = Connection::open(connect);
  call.check("making the ledger table");
  const auto dot = table.find('.');
  const auto schema = dot == std::string::npos ? connect.schema : table.substr(0, dot);
  const auto name = dot == std::string::npos ? table : table.substr(dot + 1);
  if (schema.empty() || name.empty()) {
    throw Exception(
        ErrorCode::kInvalidArgument,
        "ledger table '" + table + "': expected SCHEMA.NAME, or NAME on a connection with a schema"
    );
  }
  const statements::TableDefinition ledger{name, statements::kLedgerColumns, statements::kLedgerIndexes};
  const bool missing = inspectTable(*connection, schema, ledger).missing;
  connection->execute(ledgerSql(schema + "." + name));
  const auto findings = inspectTable(*connection, schema, ledger);
  if (!findings.problems.empty()) throw Exception(ErrorCode::kStoreSchema, "ledger " + findings.problems.front());
  return missing;
}

}  // namespace disttask::storage::mysql
