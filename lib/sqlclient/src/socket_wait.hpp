#pragma once

namespace disttask::sqlclient {

/// Shuts down the stream socket that a thread of this process waits on in this moment, in whatever call; the thread
/// then finds the end of the stream. Returns false when it waits on none. The thread must not end meanwhile, and its
/// sockets must be such that they may be lost.
bool cutSocketWait(int thread_id) noexcept;

}  // namespace disttask::sqlclient
