"""Stops one thread of a process for as long as this program runs: stop_thread.py PID NAME. Says `stopped` when it stands still."""

import ctypes
import os
import signal
import sys

SEIZE, INTERRUPT = 0x4206, 0x4207


def main():
    """Finds the thread by its name, stops it, and waits to be ended."""
    pid, name = sys.argv[1:]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as file:
            if file.read().strip() != name:
                continue
        libc = ctypes.CDLL(None, use_errno=True)
        for request in (SEIZE, INTERRUPT):
            if libc.ptrace(request, int(thread), None, None) != 0:
                sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
        print("stopped", flush=True)
        signal.pause()
    sys.exit(f"process {pid} has no thread {name}")


if __name__ == "__main__":
    main()
