#include "notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace disttask::test {

NotifySocket::NotifySocket(std::filesystem::path path) : path_(path.string()) {
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_ < 0 || path_.size() >= sizeof address.sun_path) throw std::runtime_error("no notify socket at " + path_);
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  ::unlink(path_.c_str());
  const auto* raw = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (::bind(socket_, raw, sizeof address) != 0) throw std::runtime_error("cannot bind " + path_);
}

NotifySocket::~NotifySocket() {
  if (socket_ >= 0) ::close(socket_);
}

const std::string& NotifySocket::all() {
  std::array<char, 4096> buffer{};
  ssize_t size = 0;
  while ((size = ::recv(socket_, buffer.data(), buffer.size(), 0)) > 0)
    received_.append(buffer.data(), static_cast<std::size_t>(size)).push_back('\n');
  return received_;
}

bool NotifySocket::has(const std::string& text) {
  return all().find(text) != std::string::npos;
}

bool NotifySocket::waitFor(const std::string& text, std::chrono::nanoseconds limit) {
  return eventually(limit, [&] { return has(text); });
}

}  // namespace disttask::test
