#include "../args/schema.hpp"

#include "../../exit_codes.hpp"
#include "../../store_settings.hpp"
#include "../output/listing.hpp"

#include <ostream>

namespace disttask::ctl {
namespace {

const settings::ConnectionSettings& findConnection(Context& context, const std::string& name) {
  const auto& connections = context.daemonSettings().connections;
  const auto at = connections.find(name);
  if (at == connections.end()) throw Exception(ErrorCode::kNotFound, "the settings name no connection '" + name + "'");
  return at->second;
}

void report(Context& context, const std::vector<std::string>& done, const std::string& what) {
  const Json json = Json::Object{{"changed", !done.empty()}, {"done", Json::Array(done.begin(), done.end())}};
  printOne(context, what, json, [&] {
    for (const auto& sentence : done) context.err() << sentence << '\n';
    context.out() << what << (done.empty() ? ": nothing to do, all of it was there" : ": installed") << '\n';
  });
}

}  // namespace

int execute(Context& context, const SchemaInstall& options) {
  if (options.connection.empty()) {
    report(context, context.store().schema().install(context.call()), "schema " + context.schemaName());
    return app::kExitClean;
  }
  const auto& connection = findConnection(context, options.connection);
  bool made = false;
  try {
    made = storage::mysql::installLedger(
        context.call(), app::toConnectSettings(connection, context.facts()), connection.ledger
    );
  } catch (const Exception& e) {
    Error named = e.error();
    throw Exception(named.addContext("connection '" + options.connection + "'"));
  }
  std::vector<std::string> done;
  if (made) done.push_back("made table " + connection.ledger);
  report(context, done, "ledger " + connection.ledger + " on connection " + options.connection);
  return app::kExitClean;
}

int execute(Context& context, const SchemaStatus&) {
  const auto status = context.store().schema().status(context.call());
  const Json json = Json::Object{
      {"schema", context.schemaName()},
      {"complete", status.isComplete()},
      {"version_found", std::int64_t{status.version_found}},
      {"version_expected", std::int64_t{status.version_expected}},
      {"problems", Json::Array(status.problems.begin(), status.problems.end())},
  };
  printOne(context, context.schemaName(), json, [&] {
    context.out() << "schema " << context.schemaName() << ": version " << status.version_found
                  << ", this program needs " << status.version_expected
                  << (status.isComplete() ? "; complete\n" : "; not complete\n");
    for (const auto& problem : status.problems) context.out() << "  " << problem << '\n';
  });
  return status.isComplete() ? app::kExitClean : app::kExitSchema;
}

int execute(Context& context, const SchemaDump& options) {
  if (!options.connection.empty()) {
    context.out() << storage::mysql::ledgerSql(findConnection(context, options.connection).ledger);
    return app::kExitClean;
  }
  // The text does not depend on a server: without a named store it is made for the default schema.
  storage::mysql::StoreSettings settings;
  const auto schemas = context.schemas();
  settings.schema = schemas.schema;
  settings.side_schema = schemas.side_schema;
  storage::mysql::Store store(settings, runtime::systemClock());
  context.out() << store.schema().dump();
  return app::kExitClean;
}

}  // namespace disttask::ctl
