#include "local_feed.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <string_view>

namespace disttask::sqlclient {
namespace {

// Functions of libmariadb, which the connector is linked to. They are looked up by name: its headers are no part of the
// connector's, and with another library there is just nothing to give.
struct Library {
  using Observer = void (*)(int mode, void* handle, const unsigned char* bytes, std::size_t size);
  int (*observe)(char add, Observer) = nullptr;
  void (*set_handler
  )(void* handle,
    int (*)(void**, const char*, void*),
    int (*)(void*, char*, unsigned),
    void (*)(void*),
    int (*)(void*, char*, unsigned),
    void* self) = nullptr;
  unsigned (*num_warnings)(void* handle) = nullptr;

  Library() noexcept {
    find("ma_pvio_register_callback", observe);
    find("mysql_set_local_infile_handler", set_handler);
    find("mysql_warning_count", num_warnings);
  }
  [[nodiscard]] bool isComplete() const noexcept {
    return observe != nullptr && set_handler != nullptr && num_warnings != nullptr;
  }

 private:
  template <typename F>
  static void find(const char* name, F& function) noexcept {
    function = reinterpret_cast<F>(::dlsym(RTLD_DEFAULT, name));
  }
};

const Library& library() noexcept {
  static const Library instance;
  return instance;
}

thread_local bool watching = false;
thread_local void* seen = nullptr;

// Called for each block of bytes of each session.
void onBytes(int, void* handle, const unsigned char*, std::size_t) {
  if (watching) seen = handle;
}

constexpr int kUnknownError = 2000;  // the library's number for what has none

}  // namespace

void LocalFeed::initialize() noexcept {
  if (library().isComplete()) library().observe(1, onBytes);
}

void LocalFeed::begin() noexcept {
  watching = true;
  seen = nullptr;
}

void LocalFeed::end() noexcept {
  watching = false;
  handle_ = seen;
  if (handle_ != nullptr) library().set_handler(handle_, open, read, close, error, this);
}

std::int64_t LocalFeed::numWarnings() const noexcept {
  return handle_ == nullptr ? 0 : std::int64_t{library().num_warnings(handle_)};
}

int LocalFeed::open(void** context, const char*, void* self) noexcept {
  *context = self;
  return static_cast<LocalFeed*>(self)->source_ == nullptr ? 1 : 0;
}

int LocalFeed::read(void* self, char* buffer, unsigned size) noexcept {
  auto& feed = *static_cast<LocalFeed*>(self);
  try {
    return static_cast<int>((*feed.source_)(buffer, size));
  } catch (...) {  // nothing may be thrown through the library; serve() throws it
    feed.failure_ = std::current_exception();
    return -1;
  }
}

void LocalFeed::close(void*) noexcept {}

int LocalFeed::error(void* self, char* text, unsigned size) noexcept {
  const std::string_view why = static_cast<LocalFeed*>(self)->failure_
                                   ? "the rows to load could not be made"
                                   : "the server asked for a file of this node and gets none";
  if (size == 0) return kUnknownError;
  const std::size_t length = std::min<std::size_t>(why.size(), size - 1);
  why.copy(text, length);
  text[length] = '\0';
  return kUnknownError;
}

}  // namespace disttask::sqlclient
