#include "disttask/sqlclient/dsn.hpp"

#include "disttask/base/printable.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace disttask::sqlclient {

namespace {

constexpr std::string_view kScheme = "mysql://";
constexpr std::string_view kForm = "mysql://USER[:PASSWORD]@HOST[:PORT]/[SCHEMA][?socket=PATH&tls=verify&ca=PATH]";

/// What is quoted may hold any byte and be of any length.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMaxQuotedBytes = 80;
  return "'" + toPrintable(text, kMaxQuotedBytes) + "'";
}

[[noreturn]] void fail(std::string_view part, std::string_view problem) {
  std::string text = "store address, ";
  text.append(part).append(": ").append(problem).append("; the form is ").append(kForm);
  throw Exception(ErrorCode::kInvalidArgument, std::move(text));
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view part, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) fail(part, "'%' must be followed by two hexadecimal digits (write '%' itself as %25)");
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string encode(std::string_view text, std::string_view also_plain = "") {
  constexpr std::string_view kPlain = "-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (alnum || kPlain.find(c) != std::string_view::npos || also_plain.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 15U]);
    }
  }
  return out;
}

/// Cuts `text` at the first `c`: returns what is before it and leaves what is after it; false when there is none.
bool cut(std::string_view& text, char c, std::string_view& before) {
  const auto at = text.find(c);
  if (at == std::string_view::npos) return false;
  before = text.substr(0, at);
  text.remove_prefix(at + 1);
  return true;
}

std::uint16_t parsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    fail("port", "expected a number from 1 to 65535, found " + quoted(text));
  }
  return port;
}

void parseHost(std::string_view text, Endpoint& endpoint) {
  std::string_view host = text;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) fail("host", "'[' without ']'");
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') fail("host", "only ':PORT' may follow ']'");
    if (!text.empty()) endpoint.port = parsePort(text.substr(1));
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    if (host.find(':') != std::string_view::npos) fail("host", "an IPv6 address stands in brackets: [::1]");
    endpoint.port = parsePort(text.substr(colon + 1));
  }
  endpoint.host = decode("host", host);
}

void parseOption(std::string_view item, Dsn& dsn) {
  std::string_view key;
  std::string_view rest = item;
  if (!cut(rest, '=', key)) fail("options", "expected NAME=VALUE, found " + quoted(item));
  constexpr std::array<std::string_view, 5> kKnown{"socket", "tls", "ca", "cert", "key"};
  if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
    fail("options", quoted(key) + " is unknown; expected socket, tls, ca, cert or key");
  }
  const std::string value = decode(key, rest);
  if (value.empty()) fail(key, "expected a value");
  if (key == "socket") {
    dsn.endpoint.socket = value;
  } else if (key == "ca") {
    dsn.tls.ca = value;
  } else if (key == "cert") {
    dsn.tls.cert = value;
  } else if (key == "key") {
    dsn.tls.key = value;
  } else {
    if (value != "verify" && value != "off") fail("tls", "expected 'verify' or 'off', found " + quoted(value));
    dsn.tls.mode = value == "verify" ? TlsMode::kVerify : TlsMode::kOff;
  }
}

}  // namespace

Dsn parseDsn(std::string_view text) {
  if (text.substr(0, kScheme.size()) != kScheme) fail("scheme", "expected it to begin with mysql://");
  text.remove_prefix(kScheme.size());

  std::string_view options;
  std::string_view before_options = text;
  if (cut(text, '?', before_options)) {
    options = text;
    text = before_options;
  }
  std::string_view authority;
  if (!cut(text, '/', authority)) {
    authority = text;
    text = {};
  }
  // The last '@' ends the user's part, so that an '@' in a password does not have to be encoded.
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) fail("user", "expected USER@ before the host");

  Dsn dsn;
  std::string_view user = authority.substr(0, at);
  std::string_view name = user;
  if (cut(user, ':', name)) dsn.password = decode("password", user);
  dsn.user = decode("user", name);
  if (dsn.user.empty()) fail("user", "expected a name before '@'");
  parseHost(authority.substr(at + 1), dsn.endpoint);
  dsn.schema = decode("schema", text);
  if (dsn.schema.find('/') != std::string::npos) fail("schema", "expected one name after the host's '/'");

  while (!options.empty()) {
    std::string_view item = options;
    if (!cut(options, '&', item)) options = {};
    if (!item.empty()) parseOption(item, dsn);
  }
  if (dsn.endpoint.socket.empty() && dsn.endpoint.host.empty()) fail("host", "expected a host or ?socket=PATH");
  if (dsn.tls.mode == TlsMode::kVerify && dsn.tls.ca.empty()) fail("ca", "tls=verify needs ca=PATH, a PEM file");
  if (dsn.tls.mode == TlsMode::kVerify && !dsn.endpoint.socket.empty()) fail("tls", "a socket needs no TLS");
  return dsn;
}

ConnectSettings toConnectSettings(const Dsn& dsn) {
  ConnectSettings settings;
  settings.endpoints = {dsn.endpoint};
  settings.user = dsn.user;
  if (dsn.password) settings.password = [password = *dsn.password] { return password; };
  settings.schema = dsn.schema;
  settings.tls = dsn.tls;
  return settings;
}

std::string toDisplayText(const Dsn& dsn) {
  std::string out(kScheme);
  out.append(encode(dsn.user)).append("@");
  const bool ipv6 = dsn.endpoint.host.find(':') != std::string::npos;
  out.append(ipv6 ? "[" + encode(dsn.endpoint.host, ":") + "]" : encode(dsn.endpoint.host));
  if (dsn.endpoint.socket.empty()) out.append(":").append(std::to_string(dsn.endpoint.port));
  out.append("/").append(encode(dsn.schema));
  const bool has_socket = !dsn.endpoint.socket.empty();
  if (has_socket) out.append("?socket=").append(encode(dsn.endpoint.socket, "/"));
  if (dsn.tls.mode == TlsMode::kVerify)
    out.append(has_socket ? "&" : "?").append("tls=verify&ca=").append(encode(dsn.tls.ca, "/"));
  return out;
}

}  // namespace disttask::sqlclient
