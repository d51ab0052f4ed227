#include "disttask/sqlclient/sql_error.hpp"

#include <algorithm>
#include <array>

namespace disttask::sqlclient {

namespace {

struct Entry {
  int number;
  SqlErrorMeaning meaning;
};

constexpr SqlErrorMeaning kGone{ErrorCode::kStoreUnavailable, true};
constexpr SqlErrorMeaning kKilledAndGone{ErrorCode::kStoreKilled, true};
constexpr SqlErrorMeaning kKilled{ErrorCode::kStoreKilled, false};
constexpr SqlErrorMeaning kConflict{ErrorCode::kStoreConflict, false};
constexpr SqlErrorMeaning kReadOnly{ErrorCode::kStoreReadOnly, false};
constexpr SqlErrorMeaning kTooMany{ErrorCode::kStoreTooMany, false};
constexpr SqlErrorMeaning kNoPrivilege{ErrorCode::kStoreNoPrivilege, false};
constexpr SqlErrorMeaning kDiskFull{ErrorCode::kStoreDiskFull, false};
constexpr SqlErrorMeaning kContent{ErrorCode::kStoreContent, false};
constexpr SqlErrorMeaning kSchema{ErrorCode::kStoreSchema, false};
constexpr SqlErrorMeaning kUnfit{ErrorCode::kStoreSessionUnfit, false};

// Sorted by number. 8xxx and 9xxx are TiDB's, 2xxx the client library's.
constexpr std::array kTable{
    Entry{1020, kConflict},       // record changed since last read
    Entry{1021, kDiskFull},       //
    Entry{1040, kTooMany},        // too many connections
    Entry{1044, kNoPrivilege},    // for this database
    Entry{1045, kNoPrivilege},    // wrong password
    Entry{1047, kReadOnly},       // Galera: not yet ready for work
    Entry{1048, kContent},        // column cannot be null
    Entry{1049, kSchema},         // unknown database
    Entry{1053, kKilledAndGone},  // server shuts down
    Entry{1054, kSchema},         // unknown column
    Entry{1062, {ErrorCode::kAlreadyExists, false}},
    Entry{1114, kDiskFull},       // table is full
    Entry{1129, kNoPrivilege},    // host blocked
    Entry{1130, kNoPrivilege},    // host not allowed
    Entry{1142, kNoPrivilege},    // for this table
    Entry{1143, kNoPrivilege},    // for this column
    Entry{1146, kSchema},         // no such table
    Entry{1153, kContent},        // packet too large
    Entry{1184, kGone},           // aborted connection
    Entry{1203, kTooMany},        // of this user
    Entry{1205, kConflict},       // lock wait; the transaction stays open
    Entry{1213, kConflict},       // deadlock
    Entry{1226, kTooMany},        // a resource limit of this user
    Entry{1227, kNoPrivilege},    //
    Entry{1243, kGone},           // unknown prepared statement: the session is another one, behind a proxy
    Entry{1264, kContent},        // out of range
    Entry{1265, kContent},        // truncated
    Entry{1290, kReadOnly},       // --read-only
    Entry{1292, kContent},        // incorrect value
    Entry{1317, kKilled},         // KILL QUERY
    Entry{1364, kContent},        // no default value
    Entry{1366, kContent},        // incorrect value
    Entry{1406, kContent},        // too long
    Entry{1615, kConflict},       // prepared statement must be prepared again; it did nothing
    Entry{1665, kUnfit},          // READ COMMITTED with binlog_format=STATEMENT
    Entry{1698, kNoPrivilege},    // login refused by the plugin
    Entry{1792, kReadOnly},       // read-only transaction
    Entry{1820, kNoPrivilege},    // password must be changed
    Entry{1836, kReadOnly},       //
    Entry{1862, kNoPrivilege},    // password expired
    Entry{1927, kKilledAndGone},  // connection killed
    Entry{1969, kKilled},         // max_statement_time
    Entry{2001, kGone},           // no socket could be made
    Entry{2002, kGone},           // connect by socket
    Entry{2003, kGone},           // connect by TCP
    Entry{2005, kGone},           // unknown host
    Entry{2006, kGone},           // server has gone away
    Entry{2012, kGone},           // handshake
    Entry{2013, kGone},           // lost in mid-query
    Entry{2014, kGone},           // out of sync: results were left behind
    Entry{2026, kGone},           // TLS
    Entry{2027, kGone},           // malformed packet
    Entry{2030, kGone},           // statement not prepared: the session is another one
    Entry{2055, kGone},           // lost, with a system error
    Entry{2056, kGone},           // statement closed: the session was begun anew
    Entry{2059, kNoPrivilege},    // login plugin cannot be loaded
    Entry{3020, kDiskFull},       //
    Entry{3024, kKilled},         // max_execution_time
    Entry{3101, kReadOnly},       // the group rolled the transaction back
    Entry{3118, kNoPrivilege},    // account locked
    Entry{3140, kContent},        // not JSON
    Entry{3141, kContent},        //
    Entry{3144, kContent},        // JSON of a binary character set
    Entry{3819, kContent},        // check constraint
    Entry{4025, kContent},        // check constraint (MariaDB: not JSON)
    Entry{4031, kKilledAndGone},  // idle for too long
    Entry{8002, kConflict},       // select … for update conflicts
    Entry{8004, kContent},        // transaction too large (performance.txn-total-size-limit)
    Entry{8005, kConflict},       // write conflict seen by TiDB itself
    Entry{8022, kConflict},       // commit failed, retryable
    Entry{8024, kConflict},       // the transaction is no more, such as after its idle limit
    Entry{8025, kContent},        // entry too large
    Entry{8027, kConflict},       // its schema is out of date: no lease from its PD
    Entry{8028, kConflict},       // schema changed under the transaction
    Entry{8055, kConflict},       // snapshot older than the GC safe point
    Entry{8113, kSchema},         // TiDB: a prepared statement does not fit the tables any more
    Entry{8121, kNoPrivilege},    // privilege check fails, as EXPLAIN says it
    Entry{8175, kKilled},         // memory limit of a query
    Entry{8176, kKilled},         // memory limit of the server
    Entry{8178, kContent},        // key too large
    Entry{8229, kConflict},       // locks of a transaction that stood too long have expired
    Entry{8252, kTooMany},        // quota of a resource group
    Entry{8501, kGone},           // outcome undetermined
    Entry{9001, kConflict},       // PD timeout
    Entry{9002, kConflict},       // TiKV timeout
    Entry{9003, kConflict},       // TiKV busy
    Entry{9004, kConflict},       // lock resolution timeout
    Entry{9005, kConflict},       // region unavailable
    Entry{9006, kConflict},       // transaction older than the GC life time
    Entry{9007, kConflict},       // write conflict
    Entry{9008, kConflict},       // TiKV store token limit
    Entry{9010, kConflict},       // TiKV stale command
    Entry{9011, kConflict},       // TiKV max timestamp not synced
};
static_assert(std::is_sorted(kTable.begin(), kTable.end(), [](const Entry& a, const Entry& b) {
  return a.number < b.number;
}));

bool contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// Numbers that mean several things are told apart by the server's text.
SqlErrorMeaning meaningWithText(int number, std::string_view sql_state, std::string_view text) {
  // 1105 is the client's "parameter over max_allowed_packet" and TiDB's "something else": what a TiKV said in words.
  if (number == 1105) {
    for (const auto* const word : {"max_allowed_packet", "raft entry is too large", "raft_entry_too_large"}) {
      if (contains(text, word)) return kContent;
    }
  }
  // 1030 carries the system's error: 28 is "no space left on device".
  if (number == 1030 && contains(text, "error 28")) return kDiskFull;
  if (number == 0 && contains(text, "closed")) return kGone;
  return meaningOf(number, sql_state);
}

}  // namespace

SqlErrorMeaning meaningOf(int number, std::string_view sql_state) noexcept {
  const auto* const it =
      std::lower_bound(kTable.begin(), kTable.end(), number, [](const Entry& e, int n) { return e.number < n; });
  if (it != kTable.end() && it->number == number) return it->meaning;
  if (sql_state.substr(0, 2) == "08") return kGone;      // connection exceptions
  if (sql_state.substr(0, 2) == "40") return kConflict;  // transaction rolled back
  if (sql_state.substr(0, 2) == "22") return kContent;   // data exceptions
  return {ErrorCode::kInternal, false};
}

Error makeSqlError(int number, std::string_view sql_state, std::string_view statement_name, std::string_view text) {
  const auto meaning = meaningWithText(number, sql_state, text);
  std::string message;
  message.append(statement_name).append(": ").append(text);
  message.append(" (store error ").append(std::to_string(number)).append(")");
  // Whatever broke the connection left the outcome unknown, so the reaction is to look again, not to send again.
  const auto reaction = meaning.breaks_connection ? Reaction::kReconnect : defaultReaction(meaning.code);
  Error error(meaning.code, reaction, std::move(message));
  error.setStoreNumber(number);
  return error;
}

}  // namespace disttask::sqlclient
