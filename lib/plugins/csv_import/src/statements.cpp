#include "statements.hpp"

#include "row_hash.hpp"
#include "target_table.hpp"

namespace disttask::csv_import::statements {
namespace {

// A row hash is taken over texts: integers in decimal, text in utf8mb4, bytes as they are. NULL is a text that no valid
// one equals.
std::string canonical(const Column& column) {
  std::string text = quoted(column.name);
  if (column.kind == ColumnKind::kInteger) text = "(" + text + " + 0)";  // zerofill would print zeros
  if (column.kind == ColumnKind::kText && column.converts) text = "convert(" + text + " using utf8mb4)";
  return "ifnull(" + text + ", 0x" + std::string(kNullHex) + ")";
}

constexpr const char* kLedgerRow = " where store_id = ? and task_id = ? and step = ? and ordinal = ?";

}  // namespace

std::string insertRows(const TargetTable& target, OnDuplicate mode, std::size_t num_rows) {
  std::string text = mode == OnDuplicate::kReplace ? "replace into " : "insert into ";
  text += quoted(target.schema, target.table);
  std::string row;
  for (const Column& column : target.columns) {
    text += (row.empty() ? " (" : ", ") + quoted(column.name);
    row += row.empty() ? "(?" : ",?";
  }
  row += ")";
  text += ") values ";
  text.reserve(text.size() + num_rows * (row.size() + 1) + 64);
  for (std::size_t i = 0; i != num_rows; ++i) {
    if (i != 0) text += ',';
    text += row;
  }
  if (mode == OnDuplicate::kIgnore) {
    const std::string key = quoted(target.columns.front().name);
    text += " on duplicate key update " + key + " = " + key;
  }
  return text;
}

std::string loadRows(const TargetTable& target) {
  std::string text = "load data local infile 'disttask' into table " + quoted(target.schema, target.table) +
                     " character set binary fields terminated by '\\t' enclosed by '' escaped by '\\\\' lines "
                     "terminated by '\\n'";
  const char* separator = " (";
  for (const Column& column : target.columns) {
    text += separator + quoted(column.name);
    separator = ", ";
  }
  return text + ")";
}

std::string anyRow(const std::string& schema, const std::string& table) {
  return "select 1 from " + quoted(schema, table) + " limit 1";
}

std::string keyBounds(const TargetTable& target) {
  const std::string key = quoted(target.range_key);
  return "select cast(min(" + key + ") as char), cast(max(" + key + ") as char) from " +
         quoted(target.schema, target.table);
}

std::string checksum(const TargetTable& target, const VerifyMeta& part) {
  std::string first;
  std::string forward;
  std::string backward;
  for (const Column& column : target.columns) {
    if (column.kind == ColumnKind::kOther) continue;
    const std::string text = canonical(column);
    if (first.empty()) first = text;
    forward += ", " + text;
    backward.insert(0, ", " + text);
  }
  std::string sum = "0";
  if (!forward.empty()) {
    sum = "coalesce(sum(cast(crc32(concat_ws(0x" + std::string(kForwardHex) + forward +
          ")) as unsigned) * cast(crc32(concat_ws(0x" + std::string(kBackwardHex) + backward + ")) as unsigned)), 0)";
  }
  std::string text = "select count(*), cast(" + sum + " as char) from " + quoted(target.schema, target.table);
  const char* separator = " where ";
  if (part.from) {
    text += separator + quoted(target.range_key) + " >= " + *part.from;
    separator = " and ";
  }
  if (part.to) text += separator + quoted(target.range_key) + " < " + *part.to;
  // NULL is a text of its own in `first`, so each row is in one half.
  if (part.half && !first.empty()) text += " where (crc32(" + first + ") & 1) = " + std::to_string(*part.half);
  return text;
}

std::string insertLedger(const std::string& table) {
  return "insert into " + table + " (store_id, task_id, step, ordinal) values (?, ?, ?, ?)";
}

std::string finishLedger(const std::string& table) {
  return "update " + table +
         " set num_records = ?, num_rows = ?, bad_records = ?, num_bytes = ?, range_hash = ?, hash_sum = ?, done_at = "
         "now() "
         "where store_id = ? and task_id = ? and step = ? and ordinal = ?";
}

std::string readLedger(const std::string& table) {
  return "select num_records, num_rows, bad_records, num_bytes, cast(range_hash as char), cast(hash_sum as char), "
         "coalesce(note, '') from " +
         table + " where store_id = ? and task_id = ? and step = ? and ordinal = ?";
}

std::string sumLedger(const std::string& table) {
  return "select count(*), coalesce(sum(num_records), 0), coalesce(sum(num_rows), 0), coalesce(sum(bad_records), 0), "
         "coalesce(sum(num_bytes), 0), cast(coalesce(sum(range_hash), 0) as char), cast(coalesce(sum(hash_sum), 0) as "
         "char) "
         "from " +
         table + " where store_id = ? and task_id = ? and step = ?";
}

std::string listLedgerTasks(const std::string& table) {
  return "select task_id, cast(json_extract(note, '$.root') as signed), bad_records, "
         "cast(json_extract(note, '$.ends') as char), if(done_at < now() - interval ? day, 1, 0) from " +
         table + " where store_id = ? and step = 0 and note like '%\"identity\":%' order by task_id";
}

std::string isLedgerTaskOld(const std::string& table) {
  return "select coalesce(max(done_at) < now() - interval ? day, 1) from " + table +
         " where store_id = ? and task_id = ?";
}

std::string claimLedgerTask(const std::string& table) {
  return "update " + table + " set bad_records = 3" + kLedgerRow +
         " and bad_records in (0, 2) and done_at < now() - interval ? day";
}

std::string deleteLedgerRows(const std::string& table) {
  return "delete from " + table + " where store_id = ? and task_id = ? and step >= ? limit 1000";
}

std::string lockLedgerTask(const std::string& table) {
  return "select bad_records from " + table + kLedgerRow + " for update";
}

std::string touchLedgerTask(const std::string& table) {
  return "update " + table + " set done_at = now()" + kLedgerRow;
}

std::string markLedgerTask(const std::string& table) {
  return "update " + table + " set bad_records = 2, done_at = now()" + kLedgerRow + " and bad_records = 0";
}

std::string putLedgerNote(const std::string& table) {
  return "insert into " + table +
         " (store_id, task_id, step, ordinal, note, done_at) values (?, ?, ?, ?, ?, now()) on duplicate key update "
         "note = values(note), bad_records = 0";
}

}  // namespace disttask::csv_import::statements
