#include "disttask/storage/run_tokens.hpp"

#include "disttask/base/random.hpp"

#include <algorithm>

namespace disttask::storage {

using proto::RunToken;
using proto::SubtaskId;

std::optional<RunToken> RunTokens::begin(SubtaskId id, bool idempotent) {
  return begin(id, proto::makeRunToken(randomToken(), idempotent));
}

std::optional<RunToken> RunTokens::begin(SubtaskId id, RunToken token) {
  const std::lock_guard lock(mutex_);
  const auto [run, is_new] = live_.try_emplace(id);
  if (!is_new) return std::nullopt;
  run->second.tokens.push_back(token);
  return token;
}

void RunTokens::noteStart(SubtaskId id, const StartedAs& started) {
  const std::lock_guard lock(mutex_);
  if (const auto run = live_.find(id); run != live_.end()) run->second.started = started;
}

std::optional<StartedAs> RunTokens::startedAs(SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  return run == live_.end() ? std::nullopt : run->second.started;
}

RunToken RunTokens::renew(SubtaskId id) {
  const auto random = randomToken();
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  if (run == live_.end()) return RunToken{};
  auto& tokens = run->second.tokens;
  const auto token = proto::makeRunToken(random, proto::isIdempotent(tokens.front()));
  tokens.push_back(token);
  return token;
}

void RunTokens::confirm(SubtaskId id, RunToken token) {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  if (run == live_.end()) return;
  auto& tokens = run->second.tokens;
  const auto seen = std::find(tokens.begin(), tokens.end(), token);
  // Younger ones stay: another thread's write may be on its way with one of them.
  if (seen != tokens.end()) tokens.erase(tokens.begin(), seen);
}

void RunTokens::end(SubtaskId id) {
  const std::lock_guard lock(mutex_);
  live_.erase(id);
}

void RunTokens::abandon(SubtaskId id, PastRun past) {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  if (run == live_.end()) return;
  for (const auto token : run->second.tokens) {
    if (past_.insert_or_assign(token, past).second) past_order_.push_back(token);
  }
  live_.erase(run);
  while (past_order_.size() > kMaxPast) {
    past_.erase(past_order_.front());
    past_order_.pop_front();
  }
}

RunToken RunTokens::live(SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  return run == live_.end() ? RunToken{} : run->second.tokens.front();
}

bool RunTokens::isLive(SubtaskId id, RunToken token) const {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  if (run == live_.end()) return false;
  const auto& tokens = run->second.tokens;
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

PastRun RunTokens::pastOf(RunToken token) const {
  const std::lock_guard lock(mutex_);
  const auto past = past_.find(token);
  return past == past_.end() ? PastRun::kUnknown : past->second;
}

void RunTokens::setCheckpointInDoubt(SubtaskId id, bool in_doubt) {
  const std::lock_guard lock(mutex_);
  if (const auto run = live_.find(id); run != live_.end()) run->second.checkpoint_in_doubt = in_doubt;
}

bool RunTokens::isCheckpointInDoubt(SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  return run != live_.end() && run->second.checkpoint_in_doubt;
}

void RunTokens::setGiveBackInDoubt(SubtaskId id) {
  const std::lock_guard lock(mutex_);
  if (const auto run = live_.find(id); run != live_.end()) run->second.give_back_in_doubt = true;
}

bool RunTokens::isGiveBackInDoubt(SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto run = live_.find(id);
  return run != live_.end() && run->second.give_back_in_doubt;
}

std::size_t RunTokens::numLive() const {
  const std::lock_guard lock(mutex_);
  return live_.size();
}

}  // namespace disttask::storage
