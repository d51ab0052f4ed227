#include "disttask/base/error.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "disttask/runtime/timers.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace disttask::runtime {

namespace asio = boost::asio;
using boost::system::error_code;
using Udp = asio::ip::udp;

namespace {

constexpr std::size_t kMaxDatagram = 512;

// The kernel's timers stand still while the host is suspended, BootClock does not: so the loop looks at the clock this
// often.
struct BootWaitTraits {
  static Duration to_wait_duration(const Duration& duration) {  // NOLINT(readability-identifier-naming): Asio's name
    return std::min<Duration>(duration, std::chrono::seconds(1));
  }
  static Duration to_wait_duration(const TimePoint& until) {  // NOLINT(readability-identifier-naming): Asio's name
    return to_wait_duration(until - BootClock::now());
  }
};
using BootTimer = asio::basic_waitable_timer<BootClock, BootWaitTraits>;

// "localhost" means IPv4 here: it is what every host has.
asio::ip::address parseHost(const std::string& host, error_code& failure) {
  if (host == "localhost") return asio::ip::address_v4::loopback();
  return asio::ip::make_address(host, failure);
}

struct UdpListener {
  UdpListener(asio::io_context& io, std::function<void(std::string_view)> handler_in)
      : socket(io), handler(std::move(handler_in)) {}

  void receive() {
    socket.async_receive_from(asio::buffer(buffer), sender, [this](const error_code& failure, std::size_t size) {
      if (failure == asio::error::operation_aborted) return;
      if (!failure && size <= kMaxDatagram) handler(std::string_view(buffer.data(), size));
      receive();
    });
  }

  Udp::socket socket;
  Udp::endpoint sender;
  std::array<char, kMaxDatagram + 1> buffer{};  // the extra byte shows what is too long
  std::function<void(std::string_view)> handler;
};

}  // namespace

struct Reactor::Impl {
  struct Entry {
    TimerId id;
    std::function<void()> handler;
  };

  // Any thread.
  TimerId add(Duration delay, std::function<void()> handler) {
    const auto due = Deadline(systemClock(), std::max(delay, Duration::zero())).at();
    bool earliest = false;
    TimerId id = 0;
    {
      const std::lock_guard lock(mutex);
      id = ++last_id;
      const auto place = timers.emplace(due, Entry{id, std::move(handler)});
      by_id.emplace(id, place);
      earliest = place == timers.begin();
    }
    if (earliest) asio::post(io, [this] { arm(); });
    return id;
  }

  // Any thread.
  bool drop(TimerId id) {
    std::function<void()> handler;  // destroyed outside the lock
    const std::lock_guard lock(mutex);
    const auto found = by_id.find(id);
    if (found == by_id.end()) return false;
    handler = std::move(found->second->second.handler);
    timers.erase(found->second);
    by_id.erase(found);
    return true;
  }

  // The loop's thread: waits for the earliest timer.
  void arm() {
    {
      const std::lock_guard lock(mutex);
      if (timers.empty()) return;
      timer.expires_at(timers.begin()->first);  // gives up an older wait
    }
    timer.async_wait([this](const error_code& failure) {
      if (failure == asio::error::operation_aborted) return;
      fire();
    });
  }

  // The loop's thread: runs what is due, one by one, since each may add or cancel.
  void fire() {
    const auto now = BootClock::now();
    while (auto handler = takeDue(now)) handler();
    arm();
  }

  std::function<void()> takeDue(TimePoint now) {
    const std::lock_guard lock(mutex);
    const auto first = timers.begin();
    if (io.stopped() || first == timers.end() || first->first > now) return {};
    auto handler = std::move(first->second.handler);
    by_id.erase(first->second.id);
    timers.erase(first);
    return handler;
  }

  // The loop's thread, or before start.
  void waitForSignal() {
    signals.async_wait([this](const error_code& failure, int signal) {
      if (failure) return;
      on_signal(signal);
      waitForSignal();
    });
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  BootTimer timer{io};  // touched by the loop's thread only
  asio::signal_set signals{io};
  std::function<void(int)> on_signal;
  std::mutex listeners_mutex;
  std::list<UdpListener> listeners;  // grows only
  std::mutex mutex;
  std::multimap<TimePoint, Entry> timers;  // by time, then in the order of calls
  std::unordered_map<TimerId, std::multimap<TimePoint, Entry>::iterator> by_id;
  TimerId last_id = 0;
  std::atomic<bool> started{false};
  ThreadGroup threads;  // last: its thread uses the members above
};

Reactor::Reactor() : impl_(std::make_unique<Impl>()) {}

Reactor::~Reactor() {
  stop();
}

void Reactor::start() {
  if (impl_->started.exchange(true)) return;
  impl_->threads.spawn("reactor", [impl = impl_.get()] { impl->io.run(); });
}

void Reactor::stop() {
  impl_->io.stop();
  impl_->threads.join();
}

Timers::TimerId Reactor::after(Duration delay, std::function<void()> handler) {
  return impl_->add(delay, std::move(handler));
}

bool Reactor::cancel(TimerId id) {
  return impl_->drop(id);
}

void Reactor::post(std::function<void()> handler) {
  asio::post(impl_->io, std::move(handler));
}

void Reactor::onSignals(std::initializer_list<int> signals, std::function<void(int)> handler) {
  impl_->on_signal = std::move(handler);
  for (const int signal : signals) impl_->signals.add(signal);
  impl_->waitForSignal();
}

std::uint16_t Reactor::listenUdp(
    const std::string& host, std::uint16_t port, std::function<void(std::string_view)> handler
) {
  error_code failure;
  const auto fail = [&] {
    return Exception(
        ErrorCode::kUnsupported,
        "cannot listen on " + host + ":" + std::to_string(port) + " (UDP): " + failure.message()
    );
  };
  const auto address = parseHost(host, failure);
  if (failure) throw fail();
  const Udp::endpoint endpoint(address, port);

  std::list<UdpListener> one;
  auto& listener = one.emplace_back(impl_->io, std::move(handler));
  listener.socket.open(endpoint.protocol(), failure);
  // Programs that a plugin starts have no business with it.
  if (!failure) ::fcntl(listener.socket.native_handle(), F_SETFD, FD_CLOEXEC);
  if (!failure) listener.socket.bind(endpoint, failure);
  if (failure) throw fail();
  const auto bound = listener.socket.local_endpoint(failure);
  if (failure) throw fail();
  {
    const std::lock_guard lock(impl_->listeners_mutex);
    impl_->listeners.splice(impl_->listeners.end(), one);
  }
  asio::post(impl_->io, [&listener] { listener.receive(); });
  return bound.port();
}

void sendDatagram(const std::string& address, std::string_view bytes) noexcept {
  try {
    const auto colon = address.rfind(':');
    if (colon == std::string::npos) return;
    auto host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::uint16_t port = 0;
    const auto* end = address.data() + address.size();
    const auto [stop, bad] = std::from_chars(address.data() + colon + 1, end, port);
    error_code failure;
    const auto parsed = parseHost(host, failure);
    if (bad != std::errc() || stop != end || failure) return;
    const Udp::endpoint endpoint(parsed, port);
    const int socket = ::socket(endpoint.protocol().family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    const auto* to = static_cast<const ::sockaddr*>(static_cast<const void*>(endpoint.data()));
    const auto size = static_cast<::socklen_t>(endpoint.size());
    [[maybe_unused]] const auto sent = ::sendto(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL, to, size);
    ::close(socket);
  } catch (...) {  // no memory: a hint that is not sent is no failure
    return;
  }
}

}  // namespace disttask::runtime
