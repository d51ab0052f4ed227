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

/// What a role may do with one table.
struct TableRights {
  std::string_view table;
  std::string_view rights;  ///< as SQL, such as "select, insert"
};
/// Returns the rights of a role on the tables of a schema, all of them and no others. In schema `mysql`, beside a live
/// TiDB, there are only the five tables of DXF; then a daemon writes subtasks and its own row alone.
[[nodiscard]] std::vector<TableRights> rightsOf(Role role, std::string_view schema);

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
[[nodiscard]] std::vector<std::string> grantStatements(Role role, std::string_view schema, const Account& account);

}  // namespace disttask::storage::mysql
