#include "store_section.hpp"

#include "disttask/base/tidb_schema.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "secret_file.hpp"

#include <algorithm>

namespace disttask::settings {
namespace {

bool isLocal(const Endpoint& endpoint) {
  return !endpoint.socket.empty() || endpoint.host == "localhost" || endpoint.host == "::1" ||
         endpoint.host.rfind("127.", 0) == 0;
}

void readTlsFile(Section& section, std::string_view key, std::string& path) {
  section.read(key, path);
  if (path.empty()) return;
  if (const auto why = whyUnreadable(path); !why.empty())
    section.problem(key, "value '" + path + "', expected a file that can be read: " + why);
}

/// Reads a file that only this process may read, of passwords and keys. `is_needed`: it is checked.
void readSecretFile(Section& section, std::string_view key, bool is_needed, std::string& path) {
  section.read(key, path);
  if (path.empty() || !is_needed) return;
  if (const auto wrong = checkSecretFile(path); !wrong.empty()) section.problem(key, "value '" + path + "': " + wrong);
}

/// Reads `socket`, or the endpoints under `key`.
void readEndpoints(Section& section, std::string_view key, bool many, std::vector<Endpoint>& endpoints) {
  std::string socket;
  std::vector<std::string> texts;
  section.read("socket", socket);
  if (many) {
    section.read(key, texts);
  } else if (std::string text; section.read(key, text), !text.empty()) {
    texts.push_back(text);
  }
  if (!socket.empty() && !texts.empty()) {
    section.problem("socket", "stands beside " + std::string(key) + ", expected only one of them");
  }
  if (!socket.empty()) {
    if (socket.front() != '/') section.problem("socket", "value '" + socket + "', expected an absolute path");
    endpoints.push_back({.host = "", .socket = socket});
  }
  for (const auto& text : texts) {
    if (const auto endpoint = parseEndpoint(text)) {
      endpoints.push_back(*endpoint);
    } else {
      section.problem(key, "value '" + text + "', expected HOST:PORT or the path of a socket");
    }
  }
  if (endpoints.empty() && !section.has(key) && !section.has("socket")) {
    section.problem("", "says not where the server is, expected " + std::string(key) + " or socket");
  }
}

void readSideSchema(Section& section, StoreSettings& store) {
  section.read("side_schema", store.side_schema);
  store.side_schema = toSchemaName(store.side_schema);
  if (!isTidbSchema(store.schema)) {
    if (section.has("side_schema"))
      section.problem("side_schema", "stands beside schema '" + store.schema + "', expected only with schema mysql");
    return;
  }
  if (!section.has("side_schema")) store.side_schema = "disttask";
  if (!isPlainName(store.side_schema) || store.side_schema == store.schema)
    section.problem(
        "side_schema", "value '" + store.side_schema + "', expected the name of a schema for the tables of disttask"
    );
}

/// Reads `tls: {mode, ca, cert, key}` of a store or connection. `remote`: the server is not reached through a socket or
/// loopback. `is_needed`: the key is checked.
void readTls(Section& parent, bool remote, bool is_needed, Tls& tls) {
  if (!parent.has("tls")) {
    if (remote)
      parent.problem(
          "", "goes over the network; say tls: {mode: verify, ca: FILE}, or tls: {mode: off} if that network is trusted"
      );
    return;
  }
  Section section(parent, "tls");
  section.readWord("mode", tls.mode);
  readTlsFile(section, "ca", tls.ca);
  readTlsFile(section, "cert", tls.cert);
  readSecretFile(section, "key", is_needed, tls.key);
  if (!section.has("mode")) section.problem("mode", "is missing, expected off or verify");
  if (tls.mode == TlsMode::kVerify && !section.has("ca"))
    section.problem("ca", "is missing, expected a PEM file to verify the server with");
  if (section.has("cert") != section.has("key"))
    section.problem("cert", "and key belong together, expected both or none");
}

/// Reads `password_file` or `password_credential`, and checks the file.
void readPasswordSource(Section& section, const HostFacts& facts, PasswordSource& source) {
  readSecretFile(section, "password_file", !facts.has_password, source.file);
  section.read("password_credential", source.credential);
  if (!source.file.empty() && !source.credential.empty()) {
    section.problem("password_credential", "stands beside password_file, expected only one of them");
    return;
  }
  if (source.credential.find('/') != std::string::npos) {
    section.problem(
        "password_credential",
        "value '" + source.credential + "', expected the name of a systemd credential, without '/'"
    );
  } else if (!source.credential.empty() && !facts.credentials_directory.empty() && !facts.has_password) {
    const auto path = facts.credentials_directory + "/" + source.credential;
    if (const auto wrong = checkSecretFile(path); !wrong.empty()) {
      section.problem("password_credential", "value '" + source.credential + "': " + path + ": " + wrong);
    }
  }
}

}  // namespace

bool isPlainName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f' &&
           std::string_view("`'\"./\\").find(c) == std::string_view::npos;
  });
}

void readStore(Section& root, const HostFacts& facts, StoreSettings& store) {
  if (!root.has("store")) return root.problemAt({}, "store", "is missing, expected endpoints or socket of the server");
  Section section(root, "store");
  readEndpoints(section, "endpoints", true, store.endpoints);
  section.read("user", store.user);
  readPasswordSource(section, facts, store.password);
  section.read("schema", store.schema);
  store.schema = toSchemaName(store.schema);
  if (!isPlainName(store.schema))
    section.problem("schema", "value '" + store.schema + "', expected the name of a schema");
  readSideSchema(section, store);
  const bool remote = !std::all_of(store.endpoints.begin(), store.endpoints.end(), isLocal);
  readTls(section, remote, true, store.tls);
  section.read("connect_timeout", store.connect_timeout);
  section.read("read_timeout", store.read_timeout);
  Section pool(section, "pool");
  pool.read("max_connections", store.pool.max_connections);
  pool.read("max_idle", store.pool.max_idle);
}

void readConnections(Section& root, const HostFacts& facts, std::map<std::string, ConnectionSettings>& connections) {
  Section all(root, "connections");
  for (const auto& member : all.all()) {
    if (!isPlainName(member.key)) {
      all.problemAt(member.place, member.key, "is no usable name, expected at most 64 letters, digits, '-' or '_'");
      continue;
    }
    if (member.value.kind == YamlNode::Kind::kNull) {
      all.problemAt(member.place, member.key, "no value, expected endpoint or socket, user, types and schemas");
      continue;
    }
    auto& connection = connections[member.key];
    Section section(all, member);
    std::vector<Endpoint> endpoints;
    readEndpoints(section, "endpoint", false, endpoints);
    if (!endpoints.empty()) connection.endpoint = endpoints.front();
    section.read("user", connection.user);
    if (!section.has("user")) section.problem("", "has no user");
    readPasswordSource(section, facts, connection.password);
    readTls(section, !endpoints.empty() && !isLocal(connection.endpoint), !facts.has_password, connection.tls);
    section.read("max_connections", connection.max_connections);
    section.read("types", connection.types);
    if (connection.types.empty())
      section.problem("types", "is missing or empty, expected the task types that may use this connection");
    section.read("schemas", connection.schemas);
    if (connection.schemas.empty())
      section.problem(
          "schemas", "is missing or empty, expected the schemas that tasks may write through this connection"
      );
    for (const auto& schema : connection.schemas) {
      if (!isPlainName(schema)) section.problem("schemas", "value '" + schema + "', expected the name of a schema");
    }
    section.read("ledger", connection.ledger);
    if (connection.ledger.empty() && !connection.schemas.empty())
      connection.ledger = connection.schemas.front() + ".disttask_csv_ledger";
    const auto dot = connection.ledger.find('.');
    if (!connection.ledger.empty() && (dot == std::string::npos || !isPlainName(connection.ledger.substr(0, dot)) ||
                                       !isPlainName(connection.ledger.substr(dot + 1)))) {
      section.problem("ledger", "value '" + connection.ledger + "', expected SCHEMA.TABLE");
    }
  }
}

}  // namespace disttask::settings
