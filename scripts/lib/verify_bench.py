"""Measures `migr8sync verify` against a naive script that compares DUMPs, on the same two servers.

The naive script is what one would write in an evening: SCAN, then DUMP and PTTL of each key at both ends,
one after the other, compared byte for byte.
"""

import os
import subprocess
import time

NAIVE_KEYS_MAX = 100_000


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


def _measure(source, destination, body):
    before = source.cpu_seconds(), destination.cpu_seconds()
    begin = time.monotonic()
    keys = body()
    seconds = time.monotonic() - begin
    return {"keys": keys, "seconds": seconds, "keys_per_second": keys / seconds,
            "source_cpu_seconds": source.cpu_seconds() - before[0],
            "destination_cpu_seconds": destination.cpu_seconds() - before[1]}


def measure(tool, source, destination, say):
    """Both ways; source and destination must be the same and at rest."""
    def compare():
        run = subprocess.run(
            [tool, "verify", "--no-progress", "-s", "redis://127.0.0.1:%d" % source.port,
             "-d", "redis://127.0.0.1:%d" % destination.port],
            stdin=subprocess.DEVNULL, capture_output=True)
        if run.returncode != 0:
            raise RuntimeError("verify ended with %d\n%s%s" % (
                run.returncode, run.stdout.decode(errors="replace")[-500:],
                run.stderr.decode(errors="replace")[-500:]))
        return sum(int(part.split("=")[1].split(",")[0])
                   for name, part in source.client().info("keyspace").items() if name.startswith("db"))

    def compare_naively():
        keys, found = naive(source, destination)
        alarms.append(found)
        return keys

    alarms = []

    results = {"verify": _measure(source, destination, compare),
               "naive": _measure(source, destination, compare_naively)}
    # The same value may be stored in two ways: these are false alarms.
    results["naive"]["alarms"] = alarms[0]
    for name, result in results.items():
        say("%-7s %8.0f keys/s" % (name, result["keys_per_second"]))
    return results


def table(results):
    """The figures as a Markdown table."""
    lines = ["| comparing | keys/s | × naive | source CPU s per M keys | destination CPU s per M keys |",
             "| --- | ---: | ---: | ---: | ---: |"]
    titles = {"verify": "`migr8sync verify`, both directions", "naive": "DUMP and PTTL, key by key"}
    for name, row in results.items():
        lines.append("| %s | %.0f | %.1f | %.2f | %.2f |" % (
            titles[name], row["keys_per_second"],
            row["keys_per_second"] / results["naive"]["keys_per_second"],
            row["source_cpu_seconds"] * 1e6 / row["keys"],
            row["destination_cpu_seconds"] * 1e6 / row["keys"]))
    lines.append("\nThe naive script takes %d keys for different that are the same. %d cores." % (
        results["naive"]["alarms"], os.cpu_count() or 0))
    return "\n".join(lines)
