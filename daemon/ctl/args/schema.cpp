#include "schema.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addSchemaCommands(ArgumentTree& tree) {
  auto* schema = tree.noun("schema", "The tables in the store");
  auto [install, install_options] =
      tree.verb<SchemaInstall>(schema, "install", "Make whatever is missing; safe to repeat");
  install->add_option(
      "--connection",
      install_options.connection,
      "Make the ledger of csv_import and sql_batch on this connection of --config instead"
  );
  tree.verb<SchemaStatus>(schema, "status", "Compare the store with what this program needs");
  auto [dump, dump_options] = tree.verb<SchemaDump>(schema, "dump", "Write the SQL text for a DBA to run by hand");
  dump->add_option("--connection", dump_options.connection, "The ledger of this connection of --config instead");
}

}  // namespace disttask::ctl
