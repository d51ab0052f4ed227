#include "context.hpp"

#include "disttask/base/printable.hpp"
#include "disttask/runtime/timers.hpp"

#include "../environment.hpp"
#include "../store_settings.hpp"
#include "output/text.hpp"

#include <ctime>
#include <iostream>

namespace disttask::ctl {
namespace {

constexpr auto kCallTimeout = std::chrono::seconds(30);

std::string configHome() {
  if (const auto home = app::environmentValue("XDG_CONFIG_HOME")) return *home;
  if (const auto home = app::environmentValue("HOME")) return *home + "/.config";
  return "";
}

}  // namespace

Context::Context(CommonOptions options, std::ostream& out, std::ostream& err)
    : options_(std::move(options)),
      out_(out),
      err_(err),
      terminal_(detectTerminal(options_)),
      facts_(app::hostFacts()),
      store_variable_(app::takeEnvironmentSecret("DISTTASK_STORE")),
      password_variable_(app::takeEnvironmentSecret("DISTTASK_PASSWORD")) {}
Context::~Context() = default;

void Context::printJson(const Json& json) {
  out_ << json.dump(options_.output == Output::kJsonl ? 0 : 2) << '\n';
}

std::string Context::timeText(std::int64_t seconds) const {
  return terminal_.relative_times ? formatRelative(seconds, std::time(nullptr)) : formatIsoTime(seconds);
}

void Context::confirm(const std::string& question) {
  if (options_.yes) return;
  if (!terminal_.can_ask) {
    throw Exception(ErrorCode::kPrecondition, question + " Nobody can be asked here: give --yes to do it");
  }
  err_ << toPrintable(question) << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") throw Exception(ErrorCode::kPrecondition, "nothing was done");
}

runtime::Call Context::call() const {
  return {{}, runtime::Deadline(runtime::systemClock(), kCallTimeout)};
}

std::optional<settings::StoreSettings> Context::chooseStore() {
  return chooseStoreFrom(options_, store_variable_, password_variable_, configHome(), facts_);
}

storage::mysql::Store& Context::store() {
  if (!store_) {
    const auto chosen = chooseStore();
    if (!chosen) {
      throw Exception(
          ErrorCode::kInvalidArgument,
          "no store is named: give --store mysql://USER@HOST/SCHEMA, set DISTTASK_STORE, give --config, or write "
          "~/.config/disttask/ctl.yaml"
      );
    }
    auto store_settings = app::toStoreSettings(*chosen, facts_, settings::NodeSettings{}.lease);
    store_settings.pool_size = 1;  // one command, one thread
    store_ = std::make_unique<storage::mysql::Store>(store_settings, runtime::systemClock());
    if (!store_->settings().side_schema.empty() && !canUseSideTables()) {
      store_settings.without_side_tables = true;
      store_ = std::make_unique<storage::mysql::Store>(std::move(store_settings), runtime::systemClock());
    }
  }
  return *store_;
}

bool Context::canUseSideTables() {
  try {
    store_->schema().check(call());
    return true;
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kStoreSchema && e.error().code() != ErrorCode::kStoreNoPrivilege) throw;
    return false;
  }
}

std::string Context::schemaName() {
  return schemas().schema;
}

storage::mysql::Schemas Context::schemas() {
  const auto chosen = chooseStore();
  if (!chosen) return {};
  return {chosen->schema, chosen->side_schema};
}

const settings::Settings& Context::daemonSettings() {
  if (options_.config.empty()) {
    throw Exception(ErrorCode::kInvalidArgument, "connections are named in a daemon's settings: give --config FILE");
  }
  if (!daemon_settings_) {
    auto facts = facts_;
    facts.has_password = password_variable_ || !options_.password_file.empty();
    daemon_settings_ = settings::loadSettings(options_.config, facts).value();
  }
  return *daemon_settings_;
}

proto::Task Context::findTask(const std::string& name) {
  return storage::findNamedTask(store().clientTable(), call(), name);
}

void Context::nudgeOwner() noexcept {
  try {
    const auto owner = store().schedulerTable().getOwner(call());
    if (!owner.address.empty()) runtime::sendDatagram(owner.address, "nudge:" + std::to_string(owner.nudge_token));
  } catch (const std::exception&) {
    // The owner finds the news by itself, only later.
    return;
  }
}

}  // namespace disttask::ctl
