"""Measures how a stream of writes is followed: its rate, what it costs, and how far behind it is seen.

Everything is measured beside a native replica in the same run, on fresh servers each time. A key that
is written last, and awaited at the destination, says when all of it is there.
"""

import multiprocessing
import os
import random
import statistics
import subprocess
import time

from resp import Client, Server, encode

KEYS = 200_000
MATCHING = b"bump:"
LAG_RATE = 20_000
LAG_BURST = 20
MARKER_PAUSE = 0.005
PATIENCE = 300.0

RATES = {
    "none": "no replica",
    "native": "native replica",
    "all": "`migr8sync`, all keys",
    "bare": "`migr8sync`, all keys, no checkpoints",
    "tenth": "`migr8sync --prefix bump:`, one in ten",
}
LAGS = {"native": "native replica", "all": "`migr8sync`, all keys"}


class Wrong(Exception):
    """A run that failed, or whose result is not the source's data."""


def commands_file(count, home):
    """A file of that many SETs, one key in ten under bump:, as redis-cli --pipe takes them."""
    path = "%s/stream-%d.resp" % (home, count)
    if os.path.exists(path):
        return path
    rng = random.Random(8)
    with open(path + ".part", "wb") as file:
        for start in range(0, count, 10_000):
            lines = []
            for _ in range(min(10_000, count - start)):
                number = rng.randrange(KEYS)
                prefix = MATCHING if number % 10 == 0 else b"other:"
                lines.append(encode(b"SET", b"%s%d" % (prefix, number), rng.randbytes(12).hex()))
            file.write(b"".join(lines))
    os.rename(path + ".part", path)
    return path


class Follower:
    """What follows the source in one measurement: nothing, a native replica, or the tool."""

    def __init__(self, name, source, destination, options):
        self.name, self.source, self.destination = name, source, destination
        self.process = None
        if name == "native":
            destination.client()("REPLICAOF", "127.0.0.1", source.port)
        elif name != "none":
            command = [options.tool, "sync", "--no-progress", "--job", "bench",
                       "-s", "redis://127.0.0.1:%d" % source.port,
                       "-d", "redis://127.0.0.1:%d" % destination.port]
            environment = dict(os.environ)
            if name == "tenth":
                command += ["--prefix", MATCHING.decode()]
            if name == "bare":
                environment["MIGR8SYNC_BENCH_NO_CHECKPOINT"] = "1"
            self.log = open(options.home + "/tool.log", "wb")
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL"] + command, env=environment,
                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if name != "none":
            self.await_marker()

    def await_marker(self):
        """Writes a key, and waits until it is seen at the destination: all before it is there, too."""
        key, value = MATCHING + b"marker", b"%d" % time.monotonic_ns()
        there = self.destination.client()
        self.source.client()("SET", key, value)
        end = time.monotonic() + PATIENCE
        while there("GET", key) != value:
            if time.monotonic() > end or (self.process and self.process.poll() is not None):
                raise Wrong("%s: what was written does not arrive" % self.name)
            time.sleep(0.001)

    def cpu_seconds(self):
        if not self.process:
            return 0.0
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.log.close()

    def verify(self):
        """Compares the digests of both ends, or where only a part was moved, the number of its keys."""
        here, there = self.source.client(), self.destination.client()
        if self.name == "none":
            return
        if self.name != "native":
            keys = there("KEYS", "migr8sync:*")
            if keys:
                there("DEL", *keys)
        if self.name == "tenth":
            wanted, got = len(here("KEYS", MATCHING + b"*")), there("DBSIZE")
        else:
            wanted, got = here("DEBUG", "DIGEST"), there("DEBUG", "DIGEST")
        if wanted != got:
            raise Wrong("%s: the destination holds %s, expected %s" % (self.name, got, wanted))


def servers(options):
    return [Server(os.path.abspath(options.server), "--enable-debug-command", "local",
                   "--repl-diskless-sync-delay", "0", "--repl-backlog-size", "256mb",
                   "--client-output-buffer-limit", "replica 0 0 0", parent=options.home)
            for _ in range(2)]


def measure_rate(name, options, count):
    """Pipes the commands into the source and waits until the follower has them all."""
    path = commands_file(count, options.home)
    source, destination = servers(options)
    with source, destination:
        follower = Follower(name, source, destination, options)
        try:
            before = source.cpu_seconds(), destination.cpu_seconds(), follower.cpu_seconds()
            begin = time.monotonic()
            with open(path, "rb") as commands:
                run = subprocess.run([options.client, "-p", str(source.port), "--pipe"],
                                     stdin=commands, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            loaded = time.monotonic()
            if run.returncode != 0 or b"errors: 0" not in run.stdout:
                raise Wrong(run.stdout.decode(errors="replace")[-300:])
            if name != "none":
                follower.await_marker()
            end = time.monotonic()
            after = source.cpu_seconds(), destination.cpu_seconds(), follower.cpu_seconds()
        finally:
            follower.stop()
        follower.verify()
    used = [b - a for a, b in zip(before, after)]
    return {"seconds": end - begin, "load_seconds": loaded - begin, "drain_seconds": end - loaded,
            "rate": count / (end - begin), "source_cpu_seconds": used[0],
            "destination_cpu_seconds": used[1], "tool_cpu_seconds": used[2]}


def write_steadily(port, seconds, report):
    """LAG_RATE writes in a second, LAG_BURST at a time. In a process of its own."""
    client, rng = Client(port), random.Random(9)
    bursts = [b"".join(encode(b"SET", b"bump:lag:%d" % rng.randrange(KEYS), rng.randbytes(12).hex())
                       for _ in range(LAG_BURST)) for _ in range(500)]
    begin = due = time.monotonic()
    count = 0
    while due < begin + seconds:
        client.socket.sendall(bursts[count % len(bursts)])
        for _ in range(LAG_BURST):
            client.read()
        count += 1
        due += LAG_BURST / LAG_RATE
        time.sleep(max(0, due - time.monotonic()))
    report.send(count * LAG_BURST / (time.monotonic() - begin))


def measure_lag(name, options, seconds):
    """From the answer to a write at the source until it is seen at the destination, again and again."""
    source, destination = servers(options)
    with source, destination:
        follower = Follower(name, source, destination, options)
        try:
            receiver, sender = multiprocessing.Pipe(duplex=False)
            writer = multiprocessing.Process(
                target=write_steadily, args=(source.port, seconds, sender), daemon=True)
            writer.start()
            here, there = source.client(), destination.client()
            lags, number = [], 0
            while writer.is_alive():
                number += 1
                value = b"%d" % number
                here("SET", b"bump:lag:marker", value)
                begin = time.monotonic()
                while there("GET", b"bump:lag:marker") != value:
                    if time.monotonic() > begin + PATIENCE:
                        raise Wrong("%s: what was written does not arrive" % name)
                lags.append(time.monotonic() - begin)
                time.sleep(MARKER_PAUSE)
            rate = receiver.recv()
            follower.await_marker()
        finally:
            follower.stop()
        follower.verify()
    lags.sort()
    return {"p50_milliseconds": lags[len(lags) // 2] * 1000,
            "p99_milliseconds": lags[len(lags) * 99 // 100] * 1000,
            "max_milliseconds": lags[-1] * 1000, "writes_per_second": rate, "samples": len(lags)}


def measure(kind, names, work, runs, say):
    """Every one of `names`, `runs` times, by turns: a slow minute of the machine hits all."""
    results = {name: [] for name in names}
    for run in range(runs):
        for name in names:
            result = work(name)
            results[name].append(result)
            say("run %d of %d: %s %-6s %s" % (run + 1, runs, kind, name, "  ".join(
                "%s %.2f" % pair for pair in list(result.items())[:4])))
    return results


def median(runs, field):
    return statistics.median(run[field] for run in runs)


def ratio(results, name, base, field):
    """The median of the ratios of the runs that were made one after the other."""
    return statistics.median(a[field] / b[field] for a, b in zip(results[name], results[base]))


def rate_table(results):
    lines = ["| stream | commands/s | × no replica | × native | load s | drain s | tool CPU s |"
             " source CPU s | tool ÷ source CPU | destination CPU s |",
             "| --- |" + " ---: |" * 9]
    for name, runs in results.items():
        tool, source = median(runs, "tool_cpu_seconds"), median(runs, "source_cpu_seconds")
        lines.append("| %s | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |" % (
            RATES[name], median(runs, "rate"), ratio(results, name, "none", "rate"),
            ratio(results, name, "native", "rate"), median(runs, "load_seconds"),
            median(runs, "drain_seconds"), tool, source, tool / max(source, 0.01),
            median(runs, "destination_cpu_seconds")))
    return "\n".join(lines)


def lag_table(results):
    lines = ["| lag at %d writes/s | p50 ms | p99 ms | max ms | × native p50 | × native p99 |"
             " writes/s |" % LAG_RATE, "| --- |" + " ---: |" * 6]
    for name, runs in results.items():
        lines.append("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f |" % (
            LAGS[name], median(runs, "p50_milliseconds"), median(runs, "p99_milliseconds"),
            median(runs, "max_milliseconds"), ratio(results, name, "native", "p50_milliseconds"),
            ratio(results, name, "native", "p99_milliseconds"), median(runs, "writes_per_second")))
    return "\n".join(lines)


def distance_table(results, keys):
    lines = ["| full sync through a proxy | seconds | keys/s | × 0 ms |", "| --- |" + " ---: |" * 3]
    for name, runs in results.items():
        lines.append("| round trip of %s ms | %.2f | %.0f | %.2f |" % (
            name, median(runs, "seconds"), keys / median(runs, "seconds"),
            ratio(results, name, "0", "seconds")))
    return "\n".join(lines)
