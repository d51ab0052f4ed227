#include "progress.hpp"

#include "disttask/base/utf8.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::ctl {
namespace {

using std::chrono::seconds;
constexpr auto kWindow = seconds(10);
constexpr auto kPlainEvery = seconds(5);
constexpr std::size_t kBarWidth = 12;

double secondsOf(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Known only while the plan is: a share of an unknown whole misleads, and so does one that will never be whole.
std::optional<int> percentOf(const Snapshot& snapshot) {
  if (!snapshot.plan_complete || snapshot.planned == 0 || snapshot.canceled > 0) return std::nullopt;
  return static_cast<int>(snapshot.done * 100 / snapshot.planned);
}

}  // namespace

std::optional<double> Progress::rowsPerSecond() const {
  if (samples_.size() < 2) return std::nullopt;
  const auto& a = samples_.front();
  const auto& b = samples_.back();
  const double span = secondsOf(b.at - a.at);
  if (span < 0.5 || b.rows <= a.rows) return std::nullopt;
  return static_cast<double>(b.rows - a.rows) / span;
}

std::optional<seconds> Progress::timeLeft(const Snapshot& snapshot) const {
  if (!snapshot.plan_complete || snapshot.canceled > 0 || !first_ || samples_.empty()) return std::nullopt;
  const auto done = samples_.back().done - first_->done;
  const double span = secondsOf(samples_.back().at - first_->at);
  const auto open = snapshot.planned - snapshot.done;
  if (done <= 0 || span < 1 || open <= 0) return std::nullopt;
  return seconds(
      std::max<std::int64_t>(1, static_cast<std::int64_t>(span / static_cast<double>(done) * static_cast<double>(open)))
  );
}

std::string Progress::describe(const Snapshot& snapshot) const {
  const auto percent = percentOf(snapshot);
  std::string text;
  if (snapshot.step >= 0 && terminal_ && snapshot.canceled == 0) {
    const auto filled = kBarWidth * static_cast<std::size_t>(percent.value_or(0)) / 100;
    // What is usual goes without saying: the line should fit into 80 columns.
    text = fmt::format(
        "{}step {} [{}{}]",
        snapshot.state == "running" ? "" : snapshot.state + ", ",
        snapshot.step,
        std::string(filled, '#'),
        std::string(kBarWidth - filled, '-')
    );
  } else {
    text = snapshot.step >= 0 ? fmt::format("{}, step {}:", snapshot.state, snapshot.step) : snapshot.state;
  }
  if (snapshot.step < 0) return text;
  if (percent) text += fmt::format(" {:>3}%", *percent);
  text += fmt::format(" {}/{}{} subtasks", snapshot.done, snapshot.planned, snapshot.plan_complete ? "" : "+");
  if (snapshot.failed > 0) text += fmt::format(", {} failed", snapshot.failed);
  if (snapshot.canceled > 0) text += fmt::format(", {} canceled", snapshot.canceled);
  // On one line of a terminal there is room for one of the two.
  if (!terminal_ && snapshot.rows > 0)
    text += fmt::format(", {} rows", formatShort(static_cast<double>(snapshot.rows)));
  if (const auto rate = rowsPerSecond()) text += fmt::format(", {} rows/s", formatShort(*rate));
  if (const auto left = timeLeft(snapshot)) text += (terminal_ ? ", ~" : ", about ") + formatSpan(*left) + " left";
  return text;
}

std::string Progress::look(const Snapshot& snapshot, runtime::TimePoint now) {
  if (!last_ || last_->step != snapshot.step) {
    samples_.clear();
    first_ = Sample{now, snapshot.done, snapshot.rows};
  }
  samples_.push_back({now, snapshot.done, snapshot.rows});
  while (samples_.size() > 2 && now - samples_[1].at > kWindow) samples_.pop_front();
  last_ = snapshot;
  return describe(snapshot);
}

std::string Progress::update(const Snapshot& snapshot, runtime::TimePoint now) {
  const bool other = !last_ || last_->step != snapshot.step || last_->state != snapshot.state;
  auto line = look(snapshot, now);
  if (terminal_) {
    if (line == last_line_) return "";
    last_line_ = line;
    // One column stays free: a full line wraps on some terminals.
    while (columns_ > 1 && displayWidth(line) > columns_ - 1) line = toValidUtf8(line, line.size() - 1);
    return "\r" + line + "\x1b[K";
  }
  if (!other && (now - last_written_ < kPlainEvery || line == last_line_)) return "";
  last_line_ = line;
  last_written_ = now;
  return line + "\n";
}

std::string Progress::finish() const {
  return terminal_ && last_ ? "\n" : "";
}

}  // namespace disttask::ctl
