#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

/// Who works on the tables.
enum class Role : std::uint8_t {
  kDaemon,    ///< disttaskd: registers, schedules, plans, runs, moves to history
  kOperator,  ///< disttaskctl of people who submit, change and decide
  kReader,    ///< disttaskctl of people who look, and monitoring
};
inline constexpr Role kRoles[] = {Role::kDaemon, Role::kOperator, Role::kReader};
/// "daemon", "operator" or "reader".
[[nodiscard]] std::string_view toString(Role role) noexcept;
[[nodiscard]] std::optional<Role> parseRole(std::string_view text) noexcept;

/// Where the tables are.
struct Schemas {
  std::string schema = "disttask";  ///< the five tables of DXF
  std::string side_schema =
      {};  ///< our side tables, beside a live TiDB; empty: with the others, for `mysql` "disttask"
};
/// What a role may do with one table.
struct TableRights {
  std::string schema;
  std::string_view table;
  std::string_view rights;  ///< as SQL, such as "select, insert"
};
/// Returns the rights of a role on all tables, and no others. Beside a live TiDB (schema `mysql`) a daemon writes
/// subtasks, its own row of the register and side tables alone, and people no task.
[[nodiscard]] std::vector<TableRights> rightsOf(Role role, const Schemas& schemas);

/// An account of the server.
struct Account {
  std::string user;
  std::string host = "%";
};
/// Returns it quoted, 'user'@'host'. Throws kInvalidArgument for an empty user, one of more than 80 bytes, and for
/// quotes, backslashes and control characters.
[[nodiscard]] std::string quoteAccount(const Account& account);

/// Returns one `grant` statement per table, without semicolons. They hold nothing secret and make no account. Throws as
/// quoteAccount.
[[nodiscard]] std::vector<std::string> grantStatements(Role role, const Schemas& schemas, const Account& account);

}  // namespace disttask::storage::mysql
