#include "disttask/runtime/cancel.hpp"

#include "disttask/base/error.hpp"

#include <atomic>
#include <string>

namespace disttask::runtime {

std::string_view toString(CancelCause cause) noexcept {
  switch (cause) {
    case CancelCause::kNone:
      return "none";
    case CancelCause::kShutdown:
      return "shutdown";
    case CancelCause::kPreempted:
      return "preempted";
    case CancelCause::kTaskPaused:
      return "task paused";
    case CancelCause::kCancelSubtask:
      return "cancel subtasks";
    case CancelCause::kTaskGone:
      return "task gone";
    case CancelCause::kSubtaskMoved:
      return "subtask moved";
    case CancelCause::kLeaseLost:
      return "lease lost";
    case CancelCause::kDeadline:
      return "deadline";
    case CancelCause::kClosed:
      return "closed";
  }
  return "unknown";
}

struct CancelToken::State {
  bool cancel(CancelCause why) noexcept {
    auto none = CancelCause::kNone;
    if (!cause.compare_exchange_strong(none, why)) return false;
    // The cause stands before the stop: whoever sees "stopped" sees a cause too.
    stop.request_stop();
    return true;
  }
  std::atomic<CancelCause> cause{CancelCause::kNone};
  std::stop_source stop;
};

bool CancelToken::cancelled() const noexcept {
  return cause() != CancelCause::kNone;
}

CancelCause CancelToken::cause() const noexcept {
  return state_ ? state_->cause.load() : CancelCause::kNone;
}

void CancelToken::throwIfCancelled() const {
  if (const auto why = cause(); why != CancelCause::kNone) {
    throw Exception(ErrorCode::kCancelled, "cancelled: " + std::string(toString(why)));
  }
}

std::stop_token CancelToken::stopToken() const noexcept {
  return state_ ? state_->stop.get_token() : std::stop_token();
}

// Passes the parent's cancel on. It holds no reference upwards: a parent that goes away simply never cancels again.
struct CancelSource::Relay {
  struct PassOn {
    std::weak_ptr<CancelToken::State> parent;
    std::shared_ptr<CancelToken::State> child;
    void operator()() const noexcept {
      const auto above = parent.lock();
      child->cancel(above ? above->cause.load() : CancelCause::kClosed);
    }
  };
  Relay(const std::shared_ptr<CancelToken::State>& parent, const std::shared_ptr<CancelToken::State>& child)
      : callback(parent->stop.get_token(), PassOn{parent, child}) {}
  std::stop_callback<PassOn> callback;
};

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource() {
  if (parent.state_) relay_ = std::make_unique<Relay>(parent.state_, state_);
}

CancelSource::~CancelSource() = default;

bool CancelSource::cancel(CancelCause cause) noexcept {
  return cause != CancelCause::kNone && state_->cancel(cause);
}

CancelCallback::CancelCallback(const CancelToken& token, std::function<void()> function) {
  if (token.state_) callback_.emplace(token.state_->stop.get_token(), std::move(function));
}

}  // namespace disttask::runtime
