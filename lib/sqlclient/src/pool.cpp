#include "disttask/sqlclient/pool.hpp"

#include <algorithm>
#include <utility>

namespace disttask::sqlclient {

namespace {

/// A session that stood idle for longer is asked first: the server may have ended it.
constexpr std::chrono::milliseconds kTrustedIdle{1000};

/// A session to a read-only server serves so long at least, so that a store that stays so is not hammered.
constexpr std::chrono::seconds kReadOnlyAge{3};

/// Connecting must not outlast the caller by much; the driver counts whole seconds.
ConnectSettings withDeadline(ConnectSettings settings, const runtime::Deadline& deadline) {
  if (deadline.isNever()) return settings;
  const auto left = std::chrono::ceil<std::chrono::seconds>(deadline.left());
  settings.connect_timeout = std::min(std::max(left, std::chrono::seconds(1)), settings.connect_timeout);
  return settings;
}

}  // namespace

ConnectionPool::ConnectionPool(ConnectSettings connect, PoolSettings settings, runtime::Clock& clock)
    : connect_(std::move(connect)), settings_(settings), clock_(clock) {}

ConnectionPool::~ConnectionPool() = default;

ConnectionPool::Lease::~Lease() {
  if (connection_) pool_->giveBack(std::move(connection_), opened_);
}

ConnectionPool::Lease ConnectionPool::acquire(const runtime::Call& call, IdleCheck check) {
  std::vector<Idle> outdated;  // closed at the end, outside the lock
  std::unique_lock lock(mutex_);
  for (;;) {
    call.check("waiting for a store connection");
    const auto oldest = clock_.now() - settings_.max_idle;
    const auto fresh = std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.since >= oldest; });
    num_open_ -= static_cast<std::size_t>(fresh - idle_.begin());
    std::move(idle_.begin(), fresh, std::back_inserter(outdated));
    idle_.erase(idle_.begin(), fresh);

    if (!idle_.empty()) {
      auto idle = std::move(idle_.back());  // the one used last: the others may grow old and go
      idle_.pop_back();
      if (isToBeLeft(*idle.connection, idle.opened)) {
        --num_open_;
        outdated.push_back(std::move(idle));
        continue;
      }
      const bool trusted =
          idle.since > doubted_at_ && (check == IdleCheck::kTrust || clock_.now() - idle.since < kTrustedIdle);
      lock.unlock();
      if (trusted || idle.connection->ping()) return {*this, std::move(idle.connection), idle.opened};
      giveBack(std::move(idle.connection), idle.opened);
      lock.lock();
      continue;
    }
    if (num_open_ < settings_.max_connections) {
      ++num_open_;
      lock.unlock();
      try {
        Lease opened{*this, Connection::open(withDeadline(connect_, call.deadline)), clock_.now()};
        if (connect_.on_connect) connect_.on_connect();
        return opened;
      } catch (...) {
        if (connect_.on_error) connect_.on_error(currentError());
        lock.lock();
        --num_open_;
        changed_.notify_one();
        throw;
      }
    }
    clock_.waitUntil(lock, changed_, call.token, call.deadline.at(), [&] {
      return !idle_.empty() || num_open_ < settings_.max_connections;
    });
  }
}

std::size_t ConnectionPool::numOpen() const {
  const std::lock_guard lock(mutex_);
  return num_open_;
}

void ConnectionPool::closeIdle() {
  std::vector<Idle> closing;
  const std::lock_guard lock(mutex_);
  num_open_ -= idle_.size();
  closing.swap(idle_);
  changed_.notify_all();
}

bool ConnectionPool::isToBeLeft(const Connection& connection, runtime::TimePoint opened) const noexcept {
  return connection.isOnReadOnly() && clock_.now() - opened >= kReadOnlyAge;
}

void ConnectionPool::giveBack(std::unique_ptr<Connection> connection, runtime::TimePoint opened) noexcept {
  // Whoever borrowed it may have thrown in mid-transaction; the next one must find none.
  if (connection->isInTransaction()) connection->rollback();
  std::unique_ptr<Connection> waste;
  {
    const std::lock_guard lock(mutex_);
    if (connection->isBroken()) {
      --num_open_;
      doubted_at_ = clock_.now();
      waste = std::move(connection);
    } else if (isToBeLeft(*connection, opened)) {
      --num_open_;
      waste = std::move(connection);
    } else {
      idle_.push_back({std::move(connection), clock_.now(), opened});
    }
    changed_.notify_one();
  }
}

}  // namespace disttask::sqlclient
