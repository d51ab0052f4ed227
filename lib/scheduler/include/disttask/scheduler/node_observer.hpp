#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/runtime/clock.hpp"

#include <map>
#include <optional>
#include <vector>

namespace disttask::scheduler {

/// What one read shows of a lease: of a node, or of the owner.
struct LeaseReading {
  proto::ExecId exec_id;
  proto::Life life;  ///< 0 = nobody lives there
  std::int64_t renewals = 0;
  runtime::Duration lease{};
};

/// Finds lives that do not renew their lease (design rule 3): those whose counter stood still for lease + 1 s of this
/// process's own time. No times by the store take part, and time counts only while this process itself can write: after
/// more than `max_gap` without a confirmed write of its own all observations begin anew, since a store that took no
/// writes has stopped everybody's renewals, not only theirs. Pure; thread-compatible.
class NodeObserver {
 public:
  explicit NodeObserver(runtime::Duration max_gap) : max_gap_(max_gap) {}

  /// Notes that a write of this process was confirmed; earlier times than the last are ignored.
  void confirmWrite(runtime::TimePoint at);
  /// Enters what a read showed that began and ended at these times, and returns the expired lives. A life that is not
  /// among `seen` is forgotten. Reads are entered in their order; one that ended before the end of a gap counts for
  /// nothing, also when it is entered later.
  [[nodiscard]] std::vector<LeaseReading> observe(
      const std::vector<LeaseReading>& seen, runtime::TimePoint began, runtime::TimePoint ended
  );

  /// Returns how long the present life under this id has shown the same counter, up to a read that began at `began`;
  /// zero when it is not observed.
  [[nodiscard]] runtime::Duration silenceOf(const proto::ExecId& exec_id, runtime::TimePoint began) const;
  /// Returns from when on a read may find the present life under this id expired, if its lease is this long and it
  /// renews no more; nothing when it is not observed.
  [[nodiscard]] std::optional<runtime::TimePoint> expiryOf(const proto::ExecId& exec_id, runtime::Duration lease) const;

 private:
  struct Observation {
    proto::Life life;
    std::int64_t renewals = 0;
    runtime::TimePoint since;  ///< end of the first read that showed them
  };
  const runtime::Duration max_gap_;
  std::optional<runtime::TimePoint> last_write_;
  runtime::TimePoint counts_from_{};  ///< the first confirmed write, or the end of the last gap
  std::map<proto::ExecId, Observation> observations_;
};

}  // namespace disttask::scheduler
