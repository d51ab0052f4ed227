#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

namespace disttask::runtime {

/// Why work was cancelled; decides what is written to the row. Values cross the plugin ABI, so they never change.
enum class CancelCause : std::int32_t {
  kNone = 0,
  kShutdown = 1,   ///< this process stops; a graceful stop gives running rows back
  kPreempted = 2,  ///< a task of higher rank needs the slots
  kTaskPaused = 3,
  kCancelSubtask = 4,  ///< "cancel subtasks": the task reverts, the row becomes canceled
  kTaskGone = 5,       ///< the task row ended or vanished
  kSubtaskMoved = 6,   ///< the row is not ours any more: touch nothing
  kLeaseLost = 7,      ///< this node can not be sure any more that it is alive
  kDeadline = 8,
  kClosed = 9,  ///< the owner object was closed
};
[[nodiscard]] std::string_view toString(CancelCause cause) noexcept;

/// Sees whether, and why, work was cancelled. Cheap to copy; any thread. A default-made token is never cancelled.
class CancelToken {
 public:
  CancelToken() = default;

  [[nodiscard]] bool cancelled() const noexcept;
  /// Returns the first cause; kNone while not cancelled.
  [[nodiscard]] CancelCause cause() const noexcept;
  /// Throws Exception(kCancelled) with the cause as text when cancelled.
  void throwIfCancelled() const;
  /// For waits of the standard library; stopped exactly when cancelled.
  [[nodiscard]] std::stop_token stopToken() const noexcept;

 private:
  friend class CancelSource;
  friend class CancelCallback;
  struct State;
  explicit CancelToken(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// A node of the cancel tree: cancelled by itself or by its parent, never upwards; the first cause wins. Any thread.
class CancelSource {
 public:
  CancelSource();
  /// Makes a child: it is cancelled with the parent's cause when the parent is.
  explicit CancelSource(const CancelToken& parent);
  CancelSource(const CancelSource&) = delete;
  CancelSource& operator=(const CancelSource&) = delete;
  ~CancelSource();

  /// Cancels; returns true if this call set the cause; kNone is no cause and does nothing. Callbacks run on this thread
  /// before it returns.
  bool cancel(CancelCause cause) noexcept;
  [[nodiscard]] CancelToken token() const noexcept { return CancelToken(state_); }

 private:
  std::shared_ptr<CancelToken::State> state_;
  struct Relay;
  std::unique_ptr<Relay> relay_;  // links to the parent
};

/// Runs a function once when the token is cancelled, at once if it already is. The function must be quick and must not
/// throw; it may set flags, notify or post. The destructor waits for a running one.
class CancelCallback {
 public:
  CancelCallback(const CancelToken& token, std::function<void()> function);
  CancelCallback(const CancelCallback&) = delete;
  CancelCallback& operator=(const CancelCallback&) = delete;
  ~CancelCallback() = default;

 private:
  std::optional<std::stop_callback<std::function<void()>>> callback_;
};

}  // namespace disttask::runtime
