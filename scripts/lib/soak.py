"""A write load on the source while the destination stands still; started by scripts/soak.

What has to be: the source's replica output buffer stays flat, the tool's memory stays flat, the disk
takes what comes, and after the destination has returned everything is applied.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time

import keyspace
from resp import Server, encode, exit_on_signals

HOME = ".bench"
SERVER = ".servers/redis-7.0/redis-server"
KEYS, VALUE = 2000, 20000
MEGABYTE = 1e6


class Load(threading.Thread):
    """SETs of noise at a steady rate, and a counter behind each round."""

    def __init__(self, server, rate, seconds):
        super().__init__(daemon=True)
        self.server, self.rate, self.seconds = server, rate, seconds
        self.written = self.rounds = 0
        self.start()

    def run(self):
        client = self.server.client()
        noise = os.urandom(VALUE + KEYS)
        begin = time.monotonic()
        while time.monotonic() - begin < self.seconds:
            first = self.rounds * 50 % KEYS
            commands = [encode("SET", "bump:%d" % n, noise[n:n + VALUE]) for n in range(first, first + 50)]
            commands += [encode("INCR", "bump:rounds"), encode("RPUSH", "bump:list", self.rounds)]
            data = b"".join(commands)
            client.socket.sendall(data)
            for _ in commands:
                client.read()
            self.rounds += 1
            self.written += len(data)
            ahead = self.written / self.rate - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
        self.took = time.monotonic() - begin


def resident(process):
    with open("/proc/%d/status" % process.pid) as file:
        return int(next(l for l in file if l.startswith("VmRSS")).split()[1]) * 1024


def spooled(process):
    """Bytes in the tool's files, which have no name any more."""
    folder, total = "/proc/%d/fd" % process.pid, 0
    for name in os.listdir(folder):
        try:
            if "migr8sync-spool" in os.readlink(folder + "/" + name):
                total += os.stat(folder + "/" + name).st_blocks * 512
        except OSError:
            pass
    return total


def output_buffer(client):
    lines = client("CLIENT", "LIST", "TYPE", "replica").decode().splitlines()
    return max([int(f[5:]) for l in lines for f in l.split() if f.startswith("omem=")] or [-1])


def offset(client):
    reply = client("HGETALL", "migr8sync:job:soak")
    return int(dict(zip(reply[::2], reply[1::2])).get(b"offset", 0))


def measure(options, source, destination, tool):
    """Runs the load; returns the highest values seen, and how long catching up took."""
    client = source.client()
    destination.process.send_signal(signal.SIGSTOP)
    load = Load(source, options.rate * MEGABYTE, options.seconds)
    peaks = {"buffer": 0, "memory": 0, "disk": 0}
    early = 0
    begin = time.monotonic()
    while load.is_alive():
        time.sleep(0.2)
        if tool.poll() is not None:
            raise RuntimeError("the tool has ended")
        now = {"buffer": output_buffer(client), "memory": resident(tool), "disk": spooled(tool)}
        if now["buffer"] < 0:
            raise RuntimeError("the source has dropped the link")
        peaks = {name: max(peaks[name], now[name]) for name in peaks}
        if time.monotonic() - begin < options.seconds / 3:
            early = peaks["memory"]
    destination.process.send_signal(signal.SIGCONT)
    goal = int(client.info("replication")["master_repl_offset"])
    begin = time.monotonic()
    reader = destination.client()
    while offset(reader) < goal:
        if tool.poll() is not None or time.monotonic() - begin > 600:
            raise RuntimeError("not caught up")
        peaks["memory"] = max(peaks["memory"], resident(tool))
        time.sleep(0.1)
    return load, peaks, early, time.monotonic() - begin


def run(options, source, destination):
    log = open(os.path.join(HOME, "soak.log"), "wb")
    source.client()("SET", "bump:rounds", 0)
    tool = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", options.tool, "sync", "--no-progress", "--job", "soak",
         "-s", "redis://127.0.0.1:%d" % source.port, "-d", "redis://127.0.0.1:%d" % destination.port,
         "-p", "bump:", "--spool-dir", os.path.abspath(HOME)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        reader = destination.client()
        begin = time.monotonic()
        while not offset(reader):
            if tool.poll() is not None or time.monotonic() - begin > 60:
                raise RuntimeError("the tool does not begin")
            time.sleep(0.05)
        load, peaks, early, seconds = measure(options, source, destination, tool)
        print("| what | value |\n| --- | ---: |")
        for name, value in (
                ("written to the source", "%.0f MB in %.0f s, %.1f MB/s" % (
                    load.written / MEGABYTE, load.took, load.written / load.took / MEGABYTE)),
                ("the source's output buffer for us, peak", "%.2f MB" % (peaks["buffer"] / MEGABYTE)),
                ("our memory, peak", "%.1f MB (%.1f MB in the first third)" % (
                    peaks["memory"] / MEGABYTE, early / MEGABYTE)),
                ("our disk, peak", "%.0f MB" % (peaks["disk"] / MEGABYTE)),
                ("catching up", "%.1f s, %.0f MB/s" % (seconds, load.written / seconds / MEGABYTE))):
            print("| %s | %s |" % (name, value))
        lines = keyspace.differences(
            keyspace.read(destination.client()), keyspace.read(source.client()))
        fulls = source.client().info("stats")["sync_full"]
        if lines or fulls != "1":
            raise RuntimeError("\n".join(["snapshots: %s" % fulls] + lines))
        if peaks["buffer"] > 32 * MEGABYTE:
            raise RuntimeError("the source had to buffer")
        if peaks["memory"] > 256 * MEGABYTE:
            raise RuntimeError("our memory is not bounded")
    except Exception:
        with open(log.name, errors="replace") as file:
            print(file.read()[-2000:], file=sys.stderr)
        raise
    finally:
        destination.process.send_signal(signal.SIGCONT)
        tool.kill()


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak", description="A write load with the "
                                     "destination stopped. Takes rate x seconds of disk space.")
    parser.add_argument("--rate", type=float, default=50, help="MB/s (50)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--tool", default=".build/release/migr8sync")
    options = parser.parse_args()
    exit_on_signals()
    os.makedirs(HOME, exist_ok=True)
    try:
        with Server(os.path.abspath(SERVER), "--repl-diskless-sync-delay", "0", parent=HOME) as source, \
                Server(os.path.abspath(SERVER), parent=HOME) as destination:
            run(options, source, destination)
    except (RuntimeError, ConnectionError) as failure:
        print("scripts/soak: FAILED: %s" % failure, file=sys.stderr)
        sys.exit(1)
    print("PASSED")


if __name__ == "__main__":
    main()
