#include "why_page.hpp"

#include "disttask/reasons/reasons.hpp"

#include <algorithm>

namespace disttask::app {
namespace {

constexpr auto kStoreLimit = std::chrono::seconds(5);
constexpr std::size_t kMostWaiting = 2;
constexpr int kOk = 200;
constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kUnavailable = 503;

http::HttpResponse page(int status, const Json& json) {
  return {.status = status, .content_type = "application/json", .body = json.dump(2) + "\n"};
}

http::HttpResponse problem(int status, std::string text) {
  return page(status, Json(Json::Object{{"error", Json(std::move(text))}}));
}

int statusOf(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return kBadRequest;
    case ErrorCode::kNotFound:
      return kNotFound;
    default:
      return kUnavailable;
  }
}

/// Returns the id, 0 for what is none.
std::int64_t parseId(const std::string& text) {
  const bool is_number = !text.empty() && text.size() <= 18 &&
                         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? std::stoll(text) : 0;
}

}  // namespace

WhyPage::WhyPage(storage::mysql::Store& store, runtime::Clock& clock, std::function<void(const Error&)> on_exception)
    : store_(store), clock_(clock), pool_("why", 1, kMostWaiting, std::move(on_exception)) {}

void WhyPage::answer(const http::HttpRequest& request, const http::Respond& respond) {
  const auto name = http::queryValue(request.query, "task");
  if (!name || name->empty()) {
    return respond(problem(kBadRequest, "no task is named, expected /why?task=KEY or /why?task=id:42"));
  }
  std::optional<std::int64_t> subtask;
  if (const auto text = http::queryValue(request.query, "subtask")) {
    subtask = parseId(*text);
    if (*subtask == 0) {
      return respond(problem(kBadRequest, "subtask '" + text->substr(0, 40) + "' is no id, expected such as subtask=42")
      );
    }
  }
  const auto taken = pool_.run([this, name = *name, subtask, respond] { respond(make(name, subtask)); });
  if (!taken) respond(problem(kUnavailable, "others have asked before, or the daemon stops; ask again"));
}

http::HttpResponse WhyPage::make(const std::string& name, std::optional<std::int64_t> subtask) const {
  if (store_.settings().shared_with_dxf) {
    return problem(kNotFound, "beside a live TiDB its own scheduler decides what runs, and says nothing of why");
  }
  try {
    const runtime::Call call{stop_source_.token(), runtime::Deadline(clock_, kStoreLimit)};
    const auto task = storage::findNamedTask(store_.clientTable(), call, name);
    const reasons::Sources sources{store_.nodeTable(), store_.schedulerTable(), store_.reasonTable()};
    const auto answer =
        subtask ? whySubtask(sources, call, task, proto::SubtaskId(*subtask)) : whyTask(sources, call, task);
    return page(kOk, toJson(answer));
  } catch (const Exception& failure) {
    return problem(statusOf(failure.error()), failure.what());
  }
}

void WhyPage::stop() {
  stop_source_.cancel(runtime::CancelCause::kShutdown);
  pool_.releaseAndWait();
}

}  // namespace disttask::app
