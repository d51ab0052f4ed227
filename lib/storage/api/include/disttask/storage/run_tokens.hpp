#pragma once
#include "disttask/proto/ids.hpp"

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace disttask::storage {

/// What this process knows of a token that belongs to no live run any more.
enum class PastRun : std::uint8_t {
  kUnknown,     ///< never seen here, or long ago: its process ended
  kNeverBegun,  ///< its start was sent, but never confirmed: nothing ran under it
  kReturned,    ///< its row was to be given back, since it may run again; that could not be confirmed
};

/// The row of a run as it was read before its start.
struct StartedAs {
  proto::TaskId task_id;
  proto::Step step;
  std::int32_t ordinal = 0;
  proto::RunToken token_before;  ///< what the row showed; 0 = none
  friend bool operator==(const StartedAs&, const StartedAs&) = default;
};

/// The run tokens of the subtasks that this process runs (design rule 7): subtask id → token, from before a start is
/// sent until the end of the run is confirmed. No store, no waiting; a table of tasks owns one. Any thread.
///
/// A run may have several tokens for a while: a checkpoint whose outcome is unknown is fenced off by writing the next
/// one with a new token, and until that is confirmed the row may show either.
class RunTokens {
 public:
  /// Draws a fresh token, bit 0 = idempotent, and enters it as live. Nothing: the id has a live run already.
  std::optional<proto::RunToken> begin(proto::SubtaskId id, bool idempotent);
  /// The same with a token that the caller has drawn for this start and no other.
  std::optional<proto::RunToken> begin(proto::SubtaskId id, proto::RunToken token);
  /// Notes what was started, for a start that has to be written again.
  void noteStart(proto::SubtaskId id, const StartedAs& started);
  [[nodiscard]] std::optional<StartedAs> startedAs(proto::SubtaskId id) const;
  /// Draws a further token for a live run, with the same bit 0: the row may show it from now on. 0: the run is not
  /// live.
  proto::RunToken renew(proto::SubtaskId id);
  /// The row was seen with this token after renew(): older ones can not come back. Not live, or not one of its tokens:
  /// does nothing.
  void confirm(proto::SubtaskId id, proto::RunToken token);
  /// Ends a run: its end is confirmed, or the row is somebody else's.
  void end(proto::SubtaskId id);
  /// Ends a run whose row could not be written: its tokens are remembered as `past`, so that the row, when it is found
  /// running, is not counted as an abnormal end.
  void abandon(proto::SubtaskId id, PastRun past);

  /// Returns the token that the next write of this run carries; 0 when it is not live.
  [[nodiscard]] proto::RunToken live(proto::SubtaskId id) const;
  /// True if `token` is one of the tokens of a live run of `id`. Ask after the row was read, never before.
  [[nodiscard]] bool isLive(proto::SubtaskId id, proto::RunToken token) const;
  [[nodiscard]] PastRun pastOf(proto::RunToken token) const;
  /// Notes that a checkpoint of this run may still land (true), or that a new token has fenced it off (false).
  void setCheckpointInDoubt(proto::SubtaskId id, bool in_doubt);
  [[nodiscard]] bool isCheckpointInDoubt(proto::SubtaskId id) const;
  /// Notes that a transaction which gives the row of this run back may have been committed.
  void setGiveBackInDoubt(proto::SubtaskId id);
  [[nodiscard]] bool isGiveBackInDoubt(proto::SubtaskId id) const;
  [[nodiscard]] std::size_t numLive() const;

 private:
  struct Run {
    std::vector<proto::RunToken> tokens;  ///< last confirmed first; more only after renew()
    bool checkpoint_in_doubt = false;
    bool give_back_in_doubt = false;
    std::optional<StartedAs> started;
  };
  static constexpr std::size_t kMaxPast = 10'000;

  mutable std::mutex mutex_;
  std::unordered_map<proto::SubtaskId, Run> live_;
  std::unordered_map<proto::RunToken, PastRun> past_;
  std::deque<proto::RunToken> past_order_;  ///< oldest first; bounds past_
};

}  // namespace disttask::storage
