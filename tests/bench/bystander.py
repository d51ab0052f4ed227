#!/usr/bin/env python3
"""Reads one row of bench.other by its key, 200 times a second, until its input ends: bystander.py SOCKET.

Then prints one line for each read: the milliseconds it took, counted from when it was due if the one before it was late, so that a standstill counts for all
the reads that it held up.
"""

import select
import sys
import time

from mariadb_session import Session

EVERY = 0.005


def main(socket):
    session = Session(socket, "bench")
    times = []
    number = 0
    due = time.monotonic()
    print("ready", flush=True)
    while True:
        due += EVERY
        left = due - time.monotonic()
        # However short that was: one read at least.
        if select.select([sys.stdin], [], [], max(left, 0))[0] and times:
            break
        # A timer that rings late is not the server's doing.
        begin = time.monotonic() if left > 0 else due
        number = (number * 7919 + 1) % 10000
        session.run(f"select pad from other where id = {number + 1}")
        times.append(time.monotonic() - begin)
    print("\n".join(f"{1000 * took:.4f}" for took in times))


if __name__ == "__main__":
    main(sys.argv[1])
