"""Measures `migr8sync verify` against a naive script that compares DUMPs, on the same two servers.

The naive script is what one would write in an evening: SCAN, then DUMP and PTTL of each key at both ends,
one after the other, compared byte for byte. It is given a part of the keys only.
"""

import statistics
import subprocess
import time

NAIVE_KEYS_MAX = 100_000
TITLES = {"verify": "`migr8sync verify`, both directions", "naive": "DUMP and PTTL, key by key"}


class Wrong(Exception):
    """A comparison that failed."""


def naive(source, destination, keys_max=NAIVE_KEYS_MAX):
    """Compares at most so many keys; returns how many, and how many differ."""
    here, there = source.client(), destination.client()
    cursor, keys, different = b"0", 0, 0
    while True:
        cursor, names = here("SCAN", cursor, "COUNT", 1000)
        for name in names:
            one = (here("DUMP", name), here("PTTL", name) >= 0)
            other = (there("DUMP", name), there("PTTL", name) >= 0)
            keys += 1
            different += one != other
        if cursor == b"0" or keys >= keys_max:
            return keys, different


def _verify(tool, source, destination):
    run = subprocess.run(
        [tool, "verify", "--no-progress", "-s", "redis://127.0.0.1:%d" % source.port,
         "-d", "redis://127.0.0.1:%d" % destination.port],
        stdin=subprocess.DEVNULL, capture_output=True)
    if run.returncode != 0:
        raise Wrong("verify ended with %d\n%s%s" % (
            run.returncode, run.stdout.decode(errors="replace")[-500:],
            run.stderr.decode(errors="replace")[-500:]))
    return source.client()("DBSIZE"), 0


def _measure(source, destination, body):
    before = source.cpu_seconds(), destination.cpu_seconds()
    begin = time.monotonic()
    keys, alarms = body()
    seconds = time.monotonic() - begin
    return {"keys": keys, "seconds": seconds, "keys_per_second": keys / seconds, "alarms": alarms,
            "source_cpu_seconds": source.cpu_seconds() - before[0],
            "destination_cpu_seconds": destination.cpu_seconds() - before[1]}


def measure(tool, source, destination, runs, say):
    """{name: [a result a run]}, interleaved; both servers must hold the same in db 0, and be at rest."""
    bodies = {"verify": lambda: _verify(tool, source, destination),
              "naive": lambda: naive(source, destination)}
    results = {name: [] for name in bodies}
    for run in range(runs):
        for name, body in bodies.items():
            result = _measure(source, destination, body)
            say("run %d of %d: %-7s %8.0f keys/s" % (run + 1, runs, name, result["keys_per_second"]))
            results[name].append(result)
    return results


def table(results):
    """The medians as a Markdown table."""
    middle = {name: {field: statistics.median(run[field] for run in runs) for field in runs[0]}
              for name, runs in results.items()}
    lines = ["| comparing | keys/s | × naive | source CPU s per M keys | destination CPU s per M keys |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for name, row in middle.items():
        lines.append("| %s | %.0f | %.1f | %.2f | %.2f |" % (
            TITLES[name], row["keys_per_second"],
            row["keys_per_second"] / middle["naive"]["keys_per_second"],
            row["source_cpu_seconds"] * 1e6 / row["keys"],
            row["destination_cpu_seconds"] * 1e6 / row["keys"]))
    lines.append("\nOf %d keys the naive script takes %d for different that are the same." % (
        middle["naive"]["keys"], middle["naive"]["alarms"]))
    return "\n".join(lines)
