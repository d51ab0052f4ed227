#include "disttask/plugin_common/named_lock.hpp"

#include "disttask/base/error.hpp"

#include <cstdint>
#include <utility>

namespace disttask::plugin_common {
namespace {

constexpr sqlclient::Sql kLock{"plugin.lock", "select get_lock(?, 1)"};
constexpr sqlclient::Sql kUnlock{"plugin.unlock", "select release_lock(?)"};

}  // namespace

NamedLock::NamedLock(
    sqlclient::Connection& connection, std::string name, int max_seconds, const std::function<void()>& check
)
    : connection_(connection), name_(std::move(name)) {
  for (int round = 0; !in_ && (max_seconds == 0 || round < max_seconds); ++round) {
    in_ = lock();
    if (!in_) check();
  }
}

// True when there is nothing to wait for any more.
bool NamedLock::lock() {
  try {
    auto rows = connection_.query(kLock, {name_});
    if (!rows.next() || rows.isNull(1)) return true;
    locked_ = rows.getInt(1) == 1;
    return locked_;
  } catch (const Exception&) {
    if (connection_.isBroken()) throw;
    return true;
  }
}

NamedLock::~NamedLock() {
  if (!locked_ || connection_.isBroken()) return;
  try {
    auto rows = connection_.query(kUnlock, {name_});
    static_cast<void>(rows.next());
  } catch (const Exception&) {  // it would keep the others waiting
    connection_.markBroken();
  }
}

// FNV-1a: the same in every build.
std::string lockName(std::string_view prefix, std::string_view subject) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : subject) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return std::string(prefix) + std::to_string(hash);
}

}  // namespace disttask::plugin_common
