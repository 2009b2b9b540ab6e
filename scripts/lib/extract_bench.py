#!/usr/bin/env python3
"""Measures extract, diff and analyze on an RDB file of mixed keys, beside redis-check-rdb in the same run.

    extract_bench.py TOOL FILE [RUNS]

TOOL is a release build. Prints, of the fastest of RUNS runs (3), the rate in bytes of input, the ratio to
redis-check-rdb, and the most memory. To make a file: scripts/bench fills a server; SAVE there.
"""

import os
import resource
import subprocess
import sys
import time

GOALS = {"extract rdb": 700, "extract jsonl": 250, "analyze": 400}


def measure(command, runs):
    """The shortest time in seconds, and the most memory in MB."""
    best = None
    for _ in range(runs):
        start = time.monotonic()
        code = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        seconds = time.monotonic() - start
        if code not in (0, 3):
            raise SystemExit(f"{command}: exit code {code}")
        best = seconds if best is None else min(best, seconds)
    return best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure_apart(command, runs):
    """As measure, in a process of its own, so that the memory is that of these runs alone."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        status = 1
        try:
            os.write(write_end, "{} {}".format(*measure(command, runs)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    text = os.read(read_end, 200).decode()
    os.close(read_end)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit(1)
    return tuple(map(float, text.split()))


def main():
    tool, file = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    size = os.path.getsize(file) / 1e6
    extract = [tool, "extract", file, "-q", "-o", "/dev/null", "--format"]
    commands = {"redis-check-rdb": ["redis-check-rdb", file]}
    for name in ("rdb", "jsonl", "resp", "csv", "keys", "count"):
        commands[f"extract {name}"] = extract + [name]
    commands["analyze"] = [tool, "analyze", file, "-q"]
    commands["diff"] = [tool, "diff", file, file, "-q"]
    baseline = None
    print(f"{'':17} {'MB/s':>7} {'ratio':>7} {'memory':>9}   of {size:.0f} MB")
    for name, command in commands.items():
        seconds, memory = measure_apart(command, runs)
        baseline = baseline or seconds
        goal = f"  goal {GOALS[name]}" if name in GOALS else ""
        print(f"{name:17} {size / seconds:7.0f} {baseline / seconds:7.2f} {memory:6.0f} MB {goal}")


main()
