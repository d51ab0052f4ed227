#!/usr/bin/env python3
"""Starts a daemon again and again and measures; used by startup.sh.

usage: startup.py DISTTASKD CONFIG NOTIFY_SOCKET
"""

import json
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time

STARTS = 10
IDLE_SECONDS = 10
IDLE_SAMPLES = 2


class Daemon:
    """A daemon whose READY=1 has come."""

    def __init__(self, program, config, notify_path):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        self.path = notify_path
        environment = dict(os.environ, NOTIFY_SOCKET=notify_path)
        begin = time.monotonic()
        self.process = subprocess.Popen([program, "--config", config], env=environment)
        while True:
            left = begin + 30 - time.monotonic()
            if left <= 0 or not select.select([self.notify], [], [], left)[0]:
                raise SystemExit("startup: the daemon was not ready within 30 s")
            if b"READY=1" in self.notify.recv(4096).split(b"\n"):
                break
        self.start_ms = (time.monotonic() - begin) * 1000

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        raise SystemExit("startup: no VmRSS")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.notify.close()
        os.unlink(self.path)
        if code != 0:
            raise SystemExit(f"startup: the daemon ended with {code}")


def figure(name, value, samples, unit, goal):
    return {
        "figure": name,
        "value": round(value, 1),
        "unit": unit,
        "op": "<=",
        "goal": goal,
        "ok": value <= goal,
        "min": round(min(samples), 1),
        "max": round(max(samples), 1),
    }


def main():
    program, config, notify_path = sys.argv[1:]
    starts = []
    for _ in range(STARTS):
        daemon = Daemon(program, config, notify_path)
        starts.append(daemon.start_ms)
        daemon.stop()
    memory = []
    for _ in range(IDLE_SAMPLES):
        daemon = Daemon(program, config, notify_path)
        time.sleep(IDLE_SECONDS)
        memory.append(daemon.rss_mib())
        daemon.stop()
    json.dump(
        [
            figure("start_to_registered_ms", statistics.median(starts), starts, "ms", 150),
            figure("idle_rss_mib", max(memory), memory, "MiB", 25),
        ],
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
