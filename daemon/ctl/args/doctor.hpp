#pragma once
#include "common.hpp"
#include "disttask/storage/mysql/grants.hpp"

namespace disttask::ctl {

struct Doctor {
  storage::mysql::Role role = storage::mysql::Role::kReader;  ///< whose rights this account should have
  std::optional<std::chrono::milliseconds> observe;           ///< so long leases are watched
};
struct GrantsPrint {
  std::optional<storage::mysql::Role> role;  ///< nothing = all
  std::string user;                          ///< empty = disttask_ROLE
  std::string host = "%";
  std::string schema;       ///< empty = that of the store
  std::string side_schema;  ///< of our side tables, beside a live TiDB; empty = that of the store
};

int execute(Context& context, const Doctor& options);
int execute(Context& context, const GrantsPrint& options);

}  // namespace disttask::ctl
