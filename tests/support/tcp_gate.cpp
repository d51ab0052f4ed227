#include "support/tcp_gate.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace disttask::test {
namespace {

int connectSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the socket's path is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return made;
  ::close(made);
  return -1;
}

int connectPort(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return -1;
  const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(made, found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  if (connected) return made;
  ::close(made);
  return -1;
}

}  // namespace

TcpGate::TcpGate(const std::string& socket, const std::string& host, std::uint16_t port)
    : socket_(socket), host_(host), target_port_(port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, plain, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, plain, &size) != 0 || ::pipe2(wake_, O_CLOEXEC) != 0) {
    throw std::runtime_error("no port for the gate");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TcpGate::~TcpGate() {
  stopping_ = true;
  wake();
  thread_.join();
  for (const auto& link : links_) {
    ::close(link.client);
    ::close(link.server);
  }
  for (const int each : {listener_, wake_[0], wake_[1]}) ::close(each);
}

void TcpGate::mute(bool to_server, bool to_client) {
  std::unique_lock lock(mutex_);
  to_server_ = !to_server;
  to_client_ = !to_client;
  const auto mine = ++asked_;
  wake();
  obeyed_changed_.wait(lock, [&] { return obeyed_ >= mine; });
}

void TcpGate::wake() const {
  static_cast<void>(::write(wake_[1], "x", 1));
}

void TcpGate::accept() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket_.empty() ? connectPort(host_, target_port_) : connectSocket(socket_);
  if (server < 0) {
    ::close(client);
  } else {
    links_.push_back({client, server});
  }
}

bool TcpGate::pass(int from, int to) {
  std::array<char, 1 << 16> bytes;
  const auto got = ::recv(from, bytes.data(), bytes.size(), 0);
  if (got <= 0) return false;
  for (ssize_t done = 0; done < got;) {
    const auto sent = ::send(to, bytes.data() + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += sent;
  }
  return true;
}

void TcpGate::run() {
  while (!stopping_) {
    {
      const std::lock_guard lock(mutex_);
      obeyed_ = asked_;
      obeyed_changed_.notify_all();
    }
    std::vector<pollfd> polled{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& link : links_) {
      polled.push_back({to_server_ ? link.client : -1, POLLIN, 0});
      polled.push_back({to_client_ ? link.server : -1, POLLIN, 0});
    }
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents != 0) {
      std::array<char, 64> waste;
      static_cast<void>(::read(wake_[0], waste.data(), waste.size()));
    }
    std::vector<Link> kept;
    for (std::size_t i = 0; i != links_.size(); ++i) {
      const auto& link = links_[i];
      const bool from_client = polled[2 + 2 * i].revents != 0;
      const bool from_server = polled[3 + 2 * i].revents != 0;
      if ((from_client && !pass(link.client, link.server)) || (from_server && !pass(link.server, link.client))) {
        ::close(link.client);
        ::close(link.server);
      } else {
        kept.push_back(link);
      }
    }
    links_ = std::move(kept);
    if (polled[1].revents != 0) accept();
  }
}

}  // namespace disttask::test
