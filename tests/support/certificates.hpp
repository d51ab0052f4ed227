#pragma once
#include "temp_dir.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::test {

/// Two certificate authorities, and a server certificate of the first for 127.0.0.1 alone: ca.pem, other-ca.pem,
/// server.pem and server.key. Made by openssl; throws std::runtime_error with its words. Test's thread only.
class Certificates {
 public:
  Certificates();
  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  /// Returns the options of a server that offers TLS with them on a port of the loopback.
  [[nodiscard]] std::vector<std::string> serverOptions(std::uint16_t port) const;

 private:
  void run(const std::vector<std::string>& command) const;
  void makeAuthority(const std::string& name) const;
  TempDir folder_;
};

/// Returns a port of the loopback that was free just now.
[[nodiscard]] std::uint16_t freePort();

}  // namespace disttask::test
