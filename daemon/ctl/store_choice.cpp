#include "context.hpp"
#include "disttask/base/tidb_schema.hpp"

#include "../store_settings.hpp"

#include <filesystem>
#include <system_error>

namespace disttask::ctl {
namespace {

std::optional<settings::StoreSettings> chooseAddress(
    const CommonOptions& options,
    const std::optional<std::string>& dsn_variable,
    const std::string& config_home,
    const settings::HostFacts& facts
) {
  if (!options.store.empty()) {
    auto store = app::storeFromDsn(options.store);
    if (!store.password.value.empty()) {
      throw Exception(
          ErrorCode::kInvalidArgument,
          "--store holds a password, which every user of this host can read in the list of processes; put it into "
          "DISTTASK_PASSWORD or "
          "--password-file"
      );
    }
    return store;
  }
  if (dsn_variable) return app::storeFromDsn(*dsn_variable);
  if (!options.config.empty()) return settings::loadSettings(options.config, facts).value().store;
  const auto file = config_home + "/disttask/ctl.yaml";
  std::error_code failure;
  if (!config_home.empty() && std::filesystem::exists(file, failure))
    return settings::loadCtlSettings(file, facts).value();
  return std::nullopt;
}

}  // namespace

std::optional<settings::StoreSettings> chooseStoreFrom(
    const CommonOptions& options,
    const std::optional<std::string>& dsn_variable,
    const std::optional<std::string>& password_variable,
    const std::string& config_home,
    settings::HostFacts facts
) {
  facts.has_password = password_variable || !options.password_file.empty();
  auto store = chooseAddress(options, dsn_variable, config_home, facts);
  if (!store) return std::nullopt;
  if (!options.schema.empty()) store->schema = toSchemaName(options.schema);
  if (password_variable) {
    store->password = {};
    store->password.value = *password_variable;
  } else if (!options.password_file.empty()) {
    store->password = {};
    store->password.file = options.password_file;
  }
  return store;
}

}  // namespace disttask::ctl
