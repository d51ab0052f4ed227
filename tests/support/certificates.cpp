#include "certificates.hpp"

#include "child_process.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace disttask::test {

Certificates::Certificates() {
  makeAuthority("ca");
  makeAuthority("other-ca");
  run(
      {"openssl",
       "req",
       "-newkey",
       "rsa:2048",
       "-nodes",
       "-keyout",
       "server.key",
       "-out",
       "server.csr",
       "-subj",
       "/CN=server"}
  );
  folder_.write("san.cnf", "subjectAltName=IP:127.0.0.1\n");
  run(
      {"openssl",
       "x509",
       "-req",
       "-in",
       "server.csr",
       "-CA",
       "ca.pem",
       "-CAkey",
       "ca.key",
       "-CAcreateserial",
       "-days",
       "30",
       "-extfile",
       "san.cnf",
       "-out",
       "server.pem"}
  );
}

std::vector<std::string> Certificates::serverOptions(std::uint16_t port) const {
  return {
      "--skip-networking=0",
      "--bind-address=127.0.0.1",
      "--port=" + std::to_string(port),
      "--ssl-ca=" + path("ca.pem"),
      "--ssl-cert=" + path("server.pem"),
      "--ssl-key=" + path("server.key")};
}

void Certificates::run(const std::vector<std::string>& command) const {
  ChildProcess child(command, {}, folder_.path());
  const auto end = child.wait(std::chrono::seconds(60));
  if (!end || end->exit_code != 0) throw std::runtime_error(command[0] + ": " + child.output() + child.errors());
}

void Certificates::makeAuthority(const std::string& name) const {
  run(
      {"openssl",
       "req",
       "-x509",
       "-newkey",
       "rsa:2048",
       "-nodes",
       "-keyout",
       name + ".key",
       "-out",
       name + ".pem",
       "-days",
       "30",
       "-subj",
       "/CN=" + name}
  );
}

std::uint16_t freePort() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  const bool bound = ::bind(descriptor, raw, size) == 0 && ::getsockname(descriptor, raw, &size) == 0;
  ::close(descriptor);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

}  // namespace disttask::test
