// Which waits of a thread are cut.
#include "socket_wait.hpp"

#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>

using namespace disttask;

namespace {

/// A thread that waits for a byte on one end of a pair of stream sockets.
class Waiting {
 public:
  explicit Waiting(int descriptor) : descriptor_(descriptor) {
    threads_.spawn("waiting", [this] {
      thread_id_ = static_cast<int>(::syscall(SYS_gettid));
      char byte = 0;
      got_ = static_cast<int>(::recv(descriptor_, &byte, 1, 0));
    });
    REQUIRE(test::eventually([&] { return thread_id_ != 0; }));
  }
  [[nodiscard]] int threadId() const { return thread_id_; }
  /// Returns what it got: the bytes, 0 for a socket that was shut down.
  int join() {
    threads_.join();
    return got_;
  }

 private:
  const int descriptor_;
  std::atomic<int> thread_id_{0};
  std::atomic<int> got_{-2};
  runtime::ThreadGroup threads_;
};

}  // namespace

TEST_CASE("A wait on a socket is cut, one on what the process was started with is not") {
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
  const bool is_standard = GENERATE(false, true);
  // Standard input becomes one end for a while.
  const int kept = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  REQUIRE(kept >= 0);
  if (is_standard) REQUIRE(::dup2(pair[0], STDIN_FILENO) == STDIN_FILENO);
  {
    Waiting waiting(is_standard ? STDIN_FILENO : pair[0]);
    test::comeToRest();  // until it blocks there is nothing to cut
    const bool cut = sqlclient::cutSocketWait(waiting.threadId());
    CHECK(cut == !is_standard);
    if (!cut) CHECK(::send(pair[1], "x", 1, 0) == 1);
    CHECK(waiting.join() == (is_standard ? 1 : 0));
  }
  ::dup2(kept, STDIN_FILENO);
  for (const int each : {kept, pair[0], pair[1]}) ::close(each);
}
