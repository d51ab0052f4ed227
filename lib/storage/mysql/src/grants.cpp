#include "disttask/storage/mysql/grants.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/tidb_schema.hpp"
#include "schema_sql.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

struct Rights {
  std::string_view table;
  std::string_view daemon;
  std::string_view people;  ///< an operator
};

// What the statements of src/statements need, table by table; a reader has `select` on each. A table with rows locked
// by `for update` has a right to change among its own, which MySQL asks for. tests/system runs the main paths with
// exactly these.
constexpr Rights kRights[] = {
    {"disttask_schema", "select", "select"},
    {"tidb_global_task", "select, update, delete", "select, insert, update"},
    {"tidb_global_task_history", "select, insert", "select"},
    {"tidb_background_subtask", "select, insert, update, delete", "select, update"},
    {"tidb_background_subtask_history", "select, insert, delete", "select, delete"},
    {"dist_framework_meta", "select, insert, update", "select, delete"},
    {"disttask_node", "select, insert, update", "select, update, delete"},
    {"disttask_owner", "select, update", "select"},
    {"disttask_owner_lease", "select, update", "select"},
    {"disttask_plan", "select, insert, update, delete", "select"},
    {"disttask_attempt", "select, insert, update, delete", "select, delete"},
    {"disttask_event", "select, insert, update, delete", "select, insert, update, delete"},
    {"disttask_run_log", "select, insert, update, delete", "select, delete"},
};

// Beside a live TiDB tasks are TiDB's own: nobody of ours changes them, plans, or moves them to history.
constexpr Rights kSharedRights[] = {
    {"tidb_global_task", "select", "select"},
    {"tidb_global_task_history", "select", "select"},
    {"tidb_background_subtask", "select, update", "select"},
    {"tidb_background_subtask_history", "select", "select"},
    {"dist_framework_meta", "select, insert, update, delete", "select, delete"},
    {"disttask_schema", "select", "select"},
    {"disttask_node", "select, insert, update", "select, update, delete"},
    {"disttask_owner", "select", "select"},
    {"disttask_owner_lease", "select", "select"},
    {"disttask_plan", "select", "select"},
    {"disttask_attempt", "select, insert, update, delete", "select, delete"},
    {"disttask_event", "select, insert, update, delete", "select, insert, update, delete"},
    {"disttask_run_log", "select, insert, update, delete", "select, delete"},
};

constexpr std::size_t kMaxNameBytes = 80;

std::string quoteText(std::string_view what, const std::string& text) {
  const auto is_unfit = [](char c) {
    return c == '\'' || c == '\\' || c == '`' || c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  };
  if (text.size() > kMaxNameBytes || std::any_of(text.begin(), text.end(), is_unfit)) {
    throw Exception(
        ErrorCode::kInvalidArgument,
        std::string(what) +
            " of an account: expected at most 80 bytes without quotes, backslashes and control "
            "characters"
    );
  }
  return "'" + text + "'";
}

template <std::size_t n>
std::vector<TableRights> pick(const Rights (&list)[n], Role role, const std::string& schema, const std::string& side) {
  std::vector<TableRights> rights;
  for (const auto& entry : list) {
    const auto text = role == Role::kDaemon ? entry.daemon : role == Role::kOperator ? entry.people : "select";
    rights.push_back({entry.table.starts_with("disttask_") ? side : schema, entry.table, text});
  }
  return rights;
}

}  // namespace

std::string_view toString(Role role) noexcept {
  switch (role) {
    case Role::kDaemon:
      return "daemon";
    case Role::kOperator:
      return "operator";
    case Role::kReader:
      break;
  }
  return "reader";
}

std::optional<Role> parseRole(std::string_view text) noexcept {
  for (const auto role : kRoles) {
    if (text == toString(role)) return role;
  }
  return std::nullopt;
}

std::vector<TableRights> rightsOf(Role role, const Schemas& schemas) {
  const auto schema = toSchemaName(schemas.schema);
  if (!isTidbSchema(schema)) return pick(kRights, role, schema, schema);
  return pick(kSharedRights, role, schema, schemas.side_schema.empty() ? "disttask" : schemas.side_schema);
}

std::string quoteAccount(const Account& account) {
  if (account.user.empty()) throw Exception(ErrorCode::kInvalidArgument, "user of an account: it is empty");
  return quoteText("user", account.user) + "@" + quoteText("host", account.host);
}

std::vector<std::string> grantStatements(Role role, const Schemas& schemas, const Account& account) {
  const auto to = quoteAccount(account);
  std::vector<std::string> statements;
  for (const auto& [schema, table, rights] : rightsOf(role, schemas)) {
    statements.push_back(
        "grant " + std::string(rights) + " on " + quoteName(schema) + "." + quoteName(table) + " to " + to
    );
  }
  return statements;
}

}  // namespace disttask::storage::mysql
