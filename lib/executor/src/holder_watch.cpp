#include "disttask/executor/holder_watch.hpp"

namespace disttask::executor {

bool HolderWatch::observe(const proto::Node& holder, runtime::TimePoint now) {
  const runtime::Duration lease = std::chrono::milliseconds(holder.lease_ms);
  // After a gap nobody knows whether the holder could write either: a store that was read-only for a while must not
  // evict everyone.
  const bool gap = now - last_write_ > lease / 3;
  if (life_ != holder.life || renewals_ != holder.renewals || gap) {
    life_ = holder.life;
    renewals_ = holder.renewals;
    since_ = now;
  }
  last_write_ = now;
  return now - since_ >= lease + std::chrono::seconds(1);
}

runtime::Duration HolderWatch::unchangedFor(runtime::TimePoint now) const {
  return life_ == proto::Life() ? runtime::Duration::zero() : now - since_;
}

}  // namespace disttask::executor
