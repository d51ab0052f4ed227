#include "disttask/storage/mysql/grants.hpp"

#include "commands.hpp"
#include "disttask/base/tidb_schema.hpp"

#include "../../exit_codes.hpp"
#include "../args/doctor.hpp"
#include "../output/listing.hpp"

namespace disttask::ctl {
namespace {

using storage::mysql::Role;

std::string userOf(const GrantsPrint& options, Role role) {
  return options.user.empty() ? "disttask_" + std::string(toString(role)) : options.user;
}

const char* purposeOf(Role role) {
  switch (role) {
    case Role::kDaemon:
      return "disttaskd on each node";
    case Role::kOperator:
      return "people who submit tasks, change them, and take nodes out and in";
    case Role::kReader:
      break;
  }
  return "people and programs that look: disttaskctl ls, show, why, events, top, doctor";
}

}  // namespace

int execute(Context& context, const GrantsPrint& options) {
  auto schemas = context.schemas();
  const auto named = toSchemaName(options.schema);
  if (!named.empty() && named != schemas.schema) schemas = {named, ""};
  if (!options.side_schema.empty()) {
    if (!isTidbSchema(schemas.schema)) {
      throw Exception(
          ErrorCode::kInvalidArgument,
          "--side-schema stands beside schema '" + schemas.schema + "', expected only with schema mysql"
      );
    }
    schemas.side_schema = options.side_schema;
  }
  Json::Array list;
  std::string names;
  std::string text;
  for (const auto role : storage::mysql::kRoles) {
    if (options.role && *options.role != role) continue;
    const storage::mysql::Account account{userOf(options, role), options.host};
    const auto statements = grantStatements(role, schemas, account);
    text += "-- Role " + std::string(toString(role)) + ": " + purposeOf(role) +
            ".\n-- The account first, with a password of your own: create user " + quoteAccount(account) +
            " identified by '...';\n";
    for (const auto& statement : statements) text += statement + ";\n";
    names += (names.empty() ? "" : "\n") + account.user;
    list.push_back(Json::Object{
        {"role", toString(role)},
        {"user", account.user},
        {"host", account.host},
        {"schema", schemas.schema},
        {"statements", Json::Array(statements.begin(), statements.end())},
    });
  }
  if (context.output() == Output::kJsonl) {
    for (const auto& one : list) context.out() << one.dump() << '\n';
    return app::kExitClean;
  }
  printOne(context, names, std::move(list), [&] { context.out() << text; });
  return app::kExitClean;
}

}  // namespace disttask::ctl
