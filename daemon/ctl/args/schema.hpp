#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct SchemaInstall {
  std::string connection;  ///< empty = our own schema
};
struct SchemaStatus {};
struct SchemaDump {
  std::string connection;
};

int execute(Context& context, const SchemaInstall& options);
int execute(Context& context, const SchemaStatus& options);
int execute(Context& context, const SchemaDump& options);

}  // namespace disttask::ctl
