#pragma once
#include "disttask/http/http_server.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/storage/mysql/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace disttask::app {

/// The page `/why?task=NAME[&subtask=ID]`: what keeps a task, or one of its subtasks, from running now, as
/// `disttaskctl task why` tells it. The one page that asks the store: one request at a time, in a few bounded reads, on
/// a thread of its own; two may wait, further ones are told to come again.
class WhyPage {
 public:
  /// `on_exception` gets what no answer could be made of.
  WhyPage(storage::mysql::Store& store, runtime::Clock& clock, std::function<void(const Error&)> on_exception);
  WhyPage(const WhyPage&) = delete;
  WhyPage& operator=(const WhyPage&) = delete;
  ~WhyPage() { stop(); }

  /// Answers with JSON, later: 200, 400 for a query that names no task, 404 for what is not there, 503 when the store
  /// does not answer within five seconds or others wait already. Any thread.
  void answer(const http::HttpRequest& request, const http::Respond& respond);
  /// Cuts off what is under way, and returns when it has been answered; later requests get 503. Before the server
  /// stops.
  void stop();

 private:
  [[nodiscard]] http::HttpResponse make(const std::string& name, std::optional<std::int64_t> subtask) const;

  storage::mysql::Store& store_;
  runtime::Clock& clock_;
  runtime::CancelSource stop_source_;
  runtime::ThreadPool pool_;
};

}  // namespace disttask::app
