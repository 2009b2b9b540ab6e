"""Measures extract, diff and analyze on the dataset's RDB file, beside redis-check-rdb in the same run.

Each run is a process of its own, whose children are the program alone: so the memory is the program's.
"""

import os
import resource
import statistics
import subprocess
import time

FORMATS = ("rdb", "jsonl", "resp", "csv", "keys", "count")


def _commands(tool, file, check):
    commands = {check: [check, file]}
    for name in FORMATS:
        commands["extract --format " + name] = [
            tool, "extract", file, "-q", "-o", "/dev/null", "--format", name]
    commands["analyze"] = [tool, "analyze", file, "-q"]
    commands["diff, with itself"] = [tool, "diff", file, file, "-q"]
    return commands


def _run(command):
    """Seconds, and the most memory in bytes."""
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RuntimeError("%s: exit code %d" % (" ".join(command), done.returncode))
    return time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def run_apart(command):
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        status = 1
        try:
            os.write(write_end, ("%f %d" % _run(command)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("%s failed" % " ".join(command))
    seconds, memory = text.split()
    return {"seconds": float(seconds), "peak_memory_bytes": int(memory)}


def measure(tool, file, check, runs, say):
    """{name: [a result a run]}, interleaved."""
    results = {}
    for run in range(runs):
        for name, command in _commands(tool, file, check).items():
            result = run_apart(command)
            say("run %d of %d: %-24s %6.2f s" % (run + 1, runs, name, result["seconds"]))
            results.setdefault(name, []).append(result)
    return results


def table(results, size, check):
    """The medians as a Markdown table."""
    middle = {name: {field: statistics.median(run[field] for run in runs) for field in runs[0]}
              for name, runs in results.items()}
    lines = ["| an RDB file of %.0f MB | MB/s | × %s | peak memory MB |" % (size / 1e6, check),
             "| --- | ---: | ---: | ---: |"]
    for name, row in middle.items():
        lines.append("| `%s` | %.0f | %.2f | %.1f |" % (
            name, size / row["seconds"] / 1e6, middle[check]["seconds"] / row["seconds"],
            row["peak_memory_bytes"] / 1e6))
    return "\n".join(lines)
