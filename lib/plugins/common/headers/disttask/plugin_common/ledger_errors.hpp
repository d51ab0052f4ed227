#pragma once
#include "disttask/base/error.hpp"

#include <string>

namespace disttask::plugin_common {

/// Runs `body`, which uses the ledger table; when it is missing, or another version's, the error names the command that
/// makes it.
template <typename F>
auto withLedger(const std::string& table, const std::string& connection_name, F body) {
  try {
    return body();
  } catch (const Exception& exception) {
    if (exception.error().storeNumber() != 1146 && exception.error().storeNumber() != 1054) throw;
    throw Exception(
        ErrorCode::kStoreSchema,
        "connection '" + connection_name + "' has no ledger table " + table +
            " of this version: run `disttaskctl schema install --connection " + connection_name + "` first"
    );
  }
}

}  // namespace disttask::plugin_common
