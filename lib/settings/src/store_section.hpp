#pragma once
#include "disttask/settings/loader.hpp"
#include "section.hpp"

#include <map>
#include <string>

namespace disttask::settings {

/// Reads the section `store`.
void readStore(Section& root, const HostFacts& facts, StoreSettings& store);
/// Reads the section `connections`.
void readConnections(Section& root, const HostFacts& facts, std::map<std::string, ConnectionSettings>& connections);

/// True for a schema, table or connection name of at most 64 bytes without control characters, quotes, dots or slashes.
[[nodiscard]] bool isPlainName(std::string_view name);

}  // namespace disttask::settings
