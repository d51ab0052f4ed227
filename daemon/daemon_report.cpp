// What a daemon says of itself: status, pages, whether its loops move.
#include "daemon_impl.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "pages.hpp"

namespace disttask::app {

using observability::Level;

void logJobFailure(const Error& error) {
  observability::log(Level::kError, "a job of the daemon failed", error);
}

std::optional<Error> Daemon::Impl::storeError() const {
  auto error = lease->lastError();
  return error ? error : poller->lastError();
}

std::string Daemon::Impl::reasons() const {
  const auto error = storeError();
  return error ? proto::encodeReasons(*error) : std::string();
}

void Daemon::Impl::say(Patience& patience, const std::string& text) {
  {
    const std::lock_guard lock(words_mutex);
    waits_for = text;
  }
  patience.setStatus(text);
}

void Daemon::Impl::openPages() {
  if (settings.http.listen.empty()) return;
  const auto listen = settings::parseEndpoint(settings.http.listen, 0);
  std::string trouble;
  try {
    http = std::make_unique<http::HttpServer>(
        listen->host,
        listen->port,
        [this](const http::HttpRequest& request, const http::Respond& respond) { answer(request, respond); }
    );
    auto bound = *listen;
    bound.port = http->port();
    observability::log(Level::kInfo, "pages are served", {{"url", "http://" + settings::toString(bound) + "/"}});
  } catch (const Exception& failure) {
    // Work goes on without pages; who holds the port may be the life before this one.
    trouble = failure.what();
  }
  const std::lock_guard lock(words_mutex);
  if (!trouble.empty() && http_trouble.empty()) {
    observability::log(Level::kWarn, "pages cannot be served, trying again", {{"error", trouble}});
  }
  http_trouble = trouble;
}

void Daemon::Impl::closePages() {
  if (why_page) why_page->stop();  // whoever still waits for an answer gets it
  http.reset();
}

void Daemon::Impl::answer(const http::HttpRequest& request, const http::Respond& respond) {
  if (request.path == "/why") {
    if (built.load()) return why_page->answer(request, respond);
    return respond({.status = 503, .body = "the node has not started yet\n"});
  }
  const PageSources sources{
      [this] { return report(); }, [this](const NodeReport& seen) { return metrics.page(seen, counts()); }};
  respond(makePage(sources, request));
}

bool Daemon::Impl::watchLoops() {
  reactor.post([beats = beats] { ++*beats; });
  loops.observe(
      clock.now(),
      {{"reactor", *beats}, {"poll", poller->progress() + manager->progress()}, {"lease", lease->progress()}}
  );
  return loops.still().empty();
}

NodeCounts Daemon::Impl::counts() const {
  NodeCounts counts;
  if (!built.load()) return counts;
  counts.executor = &manager->node().counters;
  counts.lease_rounds = lease->numRounds();
  counts.scheduler_rounds = scheduler->numRounds();
  counts.history_moved = history->numMoved();
  return counts;
}

NodeReport Daemon::Impl::report() const {
  NodeReport to;
  to.phase = phase;
  to.exec_id = settings.node.id;
  to.scope = settings.node.scope;
  to.version = DISTTASK_VERSION;
  to.uptime = clock.now() - began;
  to.slots = settings.node.slots;
  {
    const std::lock_guard lock(words_mutex);
    to.waits_for = waits_for;
    to.http_trouble = http_trouble;
    to.reload_trouble = reload_trouble;
    to.need_restart = need_restart;
  }
  to.still_loops = loops.still();
  if (!built.load()) return to;
  if (to.phase == Phase::kWorking) to.waits_for.clear();
  const auto& node = manager->node();
  to.scope = node.live.scope();
  to.epoch = lease->node().epoch;
  to.slots = node.slots.capacity();
  to.slots_used = to.slots - node.slots.available();
  to.tasks = node.slots.holders();
  to.runs = manager->numLiveRuns();
  to.ends_unwritten = static_cast<std::int64_t>(node.unwritten.size());
  to.wanted = poller->wanted();
  for (const auto& type : types.all()) to.types.emplace(type->name(), type->version());
  to.is_owner = scheduler->isOwner();
  const auto balance = scheduler->balance();
  to.skew = balance.skew;
  to.skew_task = balance.task.value();
  to.moved = balance.moved;
  contact.tell(clock.now(), to);
  to.store_error = storeError();
  // Who has no life has no lease that could end.
  if (lease->node().life != proto::Life()) to.lease = settings.node.lease;
  to.lease_left = lease->validFor();
  to.may_start = lease->mayStart();
  return to;
}

}  // namespace disttask::app
