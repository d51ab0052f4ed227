// The member functions of Host, Run and Planning of disttask_plugin.hpp: calls of the plugin into its host. Included by
// it.
#pragma once
#include "disttask_plugin.hpp"
#include "disttask_plugin_abi.hpp"

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace disttask::sdk {

// Hidden, so that two plugins in one process never share what stands here, whatever flags they were built with.
#pragma GCC visibility push(hidden)
namespace detail {

/// Throws what a status of the host means. Unknown values count as failed.
inline void check(disttask_status status, Collector& error) {
  switch (status) {
    case DISTTASK_OK:
      return;
    case DISTTASK_CANCELLED:
      throw Cancelled();
    case DISTTASK_RETRY:
      throw RetryLater(error.take());
    default:
      throw Failure(error.take());
  }
}

inline const disttask_ext_connection& connections(const disttask_host* host) {
  const auto* extension =
      static_cast<const disttask_ext_connection*>(host->get_extension(host, toAbi(DISTTASK_EXT_HOST_CONNECTION)));
  if (extension == nullptr) throw Failure("this host offers no named connections");
  return *extension;
}

}  // namespace detail
#pragma GCC visibility pop

inline void Host::log(LogLevel level, std::string_view message) const {
  host_->log(host_, static_cast<std::int32_t>(level), detail::toAbi(message));
}
inline bool Host::cancelled() const {
  return cancelCause() != DISTTASK_CAUSE_NONE;
}
inline std::int32_t Host::cancelCause() const {
  return host_->cancel_cause(host_);
}
inline void Host::throwIfCancelled() const {
  if (cancelled()) throw Cancelled();
}
inline void Host::sleep(std::int64_t milliseconds) const {
  if (host_->wait(host_, milliseconds) != DISTTASK_CAUSE_NONE) throw Cancelled();
}
inline std::string Host::connection(std::string_view name) const {
  detail::Collector json;
  detail::Collector error;
  detail::check(detail::connections(host_).get(host_, detail::toAbi(name), json.abi(), error.abi()), error);
  return json.take();
}
inline Host::ConnectionPlace Host::acquireConnection(std::string_view name) const {
  return ConnectionPlace(host_, std::string(name));
}

inline Host::ConnectionPlace::ConnectionPlace(const disttask_host* host, std::string name)
    : host_(host), name_(std::move(name)) {
  detail::Collector error;
  detail::check(detail::connections(host_).acquire(host_, detail::toAbi(name_), error.abi()), error);
}
inline Host::ConnectionPlace::ConnectionPlace(ConnectionPlace&& other) noexcept
    : host_(std::exchange(other.host_, nullptr)), name_(std::move(other.name_)) {}
inline Host::ConnectionPlace::~ConnectionPlace() {
  if (host_ == nullptr) return;
  const auto* extension = static_cast<const disttask_ext_connection*>(
      host_->get_extension(host_, detail::toAbi(DISTTASK_EXT_HOST_CONNECTION))
  );
  if (extension != nullptr) extension->release(host_, detail::toAbi(name_));
}

inline void Run::addProgress(std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes) const {
  run_->add_progress(run_, rows, bytes, read_bytes);
}
inline std::string Run::checkpoint() const {
  detail::Collector checkpoint;
  detail::Collector error;
  detail::check(run_->get_checkpoint(run_, checkpoint.abi(), error.abi()), error);
  return checkpoint.take();
}
inline void Run::putCheckpoint(std::string_view checkpoint) const {
  detail::Collector error;
  detail::check(run_->put_checkpoint(run_, detail::toAbi(checkpoint), error.abi()), error);
}
inline std::int64_t Run::runToken() const {
  return run_->run_token(run_);
}
inline std::int64_t Run::validForMs() const {
  return run_->valid_for_ms(run_);
}

inline void Planning::addSubtask(std::string_view meta) {
  planning_->add_subtask(planning_, detail::toAbi(meta));
  ++num_rows_;
  num_bytes_ += static_cast<std::int64_t>(meta.size());
}
inline bool Planning::hasRoom(std::size_t meta_bytes) const {
  if (num_rows_ == 0) return true;  // a single meta larger than a batch still has to go somewhere
  return num_rows_ < maxRows() && num_bytes_ + static_cast<std::int64_t>(meta_bytes) <= maxBytes();
}
inline void Planning::readResults(
    std::int32_t step, std::int32_t after, const std::function<bool(std::int32_t, std::string_view)>& each
) const {
  struct Reader {
    const std::function<bool(std::int32_t, std::string_view)>& each;
    std::exception_ptr thrown;  // kept here while the host's frames are left, thrown on after them

    static std::int32_t read(void* ctx, std::int32_t ordinal, disttask_str meta) noexcept {
      auto& self = *static_cast<Reader*>(ctx);
      try {
        return self.each(ordinal, detail::fromAbi(meta)) ? 1 : 0;
      } catch (...) {
        self.thrown = std::current_exception();
        return 0;
      }
    }
  };
  Reader reader{each, nullptr};
  detail::Collector error;
  const auto status = planning_->read_results(planning_, step, after, &reader, &Reader::read, error.abi());
  if (reader.thrown) std::rethrow_exception(reader.thrown);
  detail::check(status, error);
}

}  // namespace disttask::sdk
