#pragma once
#include "disttask/settings/loader.hpp"
#include "section.hpp"

#include <string>

namespace disttask::settings {

/// Reads `tls: {mode, ca, cert, key}` of a store or connection. `remote`: the server is not reached through a socket or
/// loopback.
void readTls(Section& parent, Problems& problems, bool remote, Tls& tls);
/// Reads `password_file` or `password_credential`, and checks the file.
void readPasswordSource(Section& section, const HostFacts& facts, PasswordSource& source);
/// Reads the section `store`.
void readStore(const YamlNode* node, Problems& problems, const HostFacts& facts, StoreSettings& store);
/// Reads the section `connections`.
void readConnections(
    const YamlNode* node,
    Problems& problems,
    const HostFacts& facts,
    std::map<std::string, ConnectionSettings>& connections
);

/// True for a schema, table or connection name of at most 64 bytes without control characters, quotes, dots or slashes.
[[nodiscard]] bool isPlainName(std::string_view name);

}  // namespace disttask::settings
