"""Measures RDBParser on a file against redis-check-rdb; part of scripts/bench."""

import os
import re
import statistics
import subprocess
import time

PROGRAM = ".build/parser-bench"
SOURCE = "scripts/lib/ParserBench.swift"
FOLDER = "Sources/RDBParser"

TITLES = {
    "check": "`redis-check-rdb`",
    "delimit": "RDBParser, every value delimited, checksum verified",
    "decode": "RDBParser, every value decoded to its elements",
}


def build(say):
    """Compiles the library and the reader as one module, as a release build would."""
    sources = [os.path.join(FOLDER, name) for name in sorted(os.listdir(FOLDER))] + [SOURCE]
    if os.path.exists(PROGRAM) and all(
            os.path.getmtime(PROGRAM) > os.path.getmtime(source) for source in sources):
        return
    say("building the parser's benchmark ...")
    subprocess.run(["swiftc", "-O", "-wmo", "-swift-version", "6", "-parse-as-library", "-I", "Sources/CIntrinsics",
                    "-module-name", "ParserBench", *sources, "-o", PROGRAM], check=True)


def timed(command):
    """Seconds, CPU seconds and peak memory of one process."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError("%s failed: %s" % (command[0], output.decode(errors="replace")[-300:]))
    seconds = time.monotonic() - begin
    # The usage of a child counts what this process held when it was started: ask the child itself.
    peak = re.search(rb"VmHWM:\s*(\d+) kB", output)
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime,
            "peak_mb": int(peak.group(1)) * 1024 / 1e6 if peak else 0}


def measure(file, check, runs, say):
    """Medians of `runs` interleaved runs of each reader."""
    build(say)
    commands = {"check": [check, file], "delimit": [PROGRAM, "delimit", file],
                "decode": [PROGRAM, "decode", file]}
    results = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            results[name].append(timed(command))
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            for name, runs in results.items()}


def table(medians, size):
    lines = ["| reading the file (%d MB) | seconds | MB/s | MB per CPU second | × redis-check-rdb | peak memory MB |"
             % (size / 1e6), "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, title in TITLES.items():
        median = medians[name]
        lines.append("| %s | %.2f | %.0f | %.0f | %.2f | %s |" % (
            title, median["seconds"], size / 1e6 / median["seconds"], size / 1e6 / median["cpu"],
            median["seconds"] / medians["check"]["seconds"],
            "%.1f" % median["peak_mb"] if median["peak_mb"] else "–"))
    return "\n".join(lines)
