#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>

namespace disttask::sqlclient {

/// What one session gives the server for `load data local`. By default a client library opens whatever file the server
/// names, so a hostile server can read the client's files: here it gets what the caller of load() hands over, or
/// nothing, and a file name never matters. The library's handle, which the connector hides, is caught while it
/// connects. One thread at a time, as its connection.
class LocalFeed {
 public:
  LocalFeed() = default;
  LocalFeed(const LocalFeed&) = delete;
  LocalFeed& operator=(const LocalFeed&) = delete;

  /// Makes the library show its handles. Once, before other threads use the library.
  static void initialize() noexcept;

  /// Runs `connect`, which opens a session in this thread, and takes over what that session gives.
  template <typename F>
  auto attach(F connect) {
    begin();
    auto session = connect();
    end();
    return session;
  }

  /// False when the client library is another one: nothing can be given, and its own defaults hold.
  [[nodiscard]] bool isUsable() const noexcept { return handle_ != nullptr; }

  /// While `send` runs, the server gets the bytes of `source`. Throws what `send` throws; what `source` threw, if it
  /// did.
  template <typename F>
  auto serve(const LocalSource& source, F send) {
    source_ = &source;
    failure_ = nullptr;
    try {
      auto result = send();
      source_ = nullptr;
      rethrowFailure();
      return result;
    } catch (...) {
      source_ = nullptr;
      rethrowFailure();
      throw;
    }
  }
  /// True when the last source threw.
  [[nodiscard]] bool hasFailed() const noexcept { return failure_ != nullptr; }
  /// How many warnings the last statement gave, by the server's answer.
  [[nodiscard]] std::int64_t numWarnings() const noexcept;

 private:
  static void begin() noexcept;
  void end() noexcept;
  void rethrowFailure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  static int open(void** context, const char* file, void* self) noexcept;
  static int read(void* self, char* buffer, unsigned size) noexcept;
  static void close(void* self) noexcept;
  static int error(void* self, char* text, unsigned size) noexcept;

  void* handle_ = nullptr;
  const LocalSource* source_ = nullptr;
  std::exception_ptr failure_;
};

}  // namespace disttask::sqlclient
