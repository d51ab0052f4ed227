#pragma once
#include "disttask/runtime/clock.hpp"

#include <chrono>

namespace disttask::test {

/// Waits until each other thread of this process waits for something: a lock, a signal, a socket, its own time. On a
/// loaded machine the test's thread may run while the code's threads wait for a core; what they were just about to do
/// is then done when this returns. Returns false when they did not come to rest within `limit` of real time, and at
/// once on any but the process's first thread, which is the test's: two that wait for each other would not rest.
bool comeToRest(runtime::Duration limit = std::chrono::seconds(1));

}  // namespace disttask::test
