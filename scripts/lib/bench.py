"""Measures migr8sync against a native replica and redis-cli --pipe; started by scripts/bench.

A full sync and a prefix split here; the stream and its lag in stream_bench.py; comparing in verify_bench.py;
RDBParser in parser_bench.py; files in extract_bench.py; large values and many keys in size_bench.py.

Every measurement gets a fresh destination server. The source is one server for all of them, as a
production source would be. What ends up in the destination is checked every time: a fast result
that is wrong counts as a failure.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import threading
import time

import dataset
import extract_bench
import parser_bench
import rdbtools_bench
import size_bench
import stream_bench
import verify_bench
from delay_proxy import DelayProxy
from resp import Server, exit_on_signals

HOME = ".bench"
SERVER = ".servers/redis-7.0/redis-server"
CLIENT = ".servers/redis-7.0/redis-cli"
CHECK = "redis-check-rdb"
TOOL = ".build/release/migr8sync"
TTL_SAMPLE = 2000
MEGABYTE = 1e6

TITLES = {
    "native": "native replica, full sync",
    "pipe": "`redis-cli --pipe` of ready-made RESTOREs",
    "drain": "`redis-cli --rdb`: the snapshot is received, and thrown away",
    "full": "`migr8sync sync --once`, everything",
    "split": "`migr8sync sync --once --prefix bump:`",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Wrong(Exception):
    """A run that failed, or whose result is not the source's data."""


def start_destination():
    return Server(os.path.abspath(SERVER), "--enable-debug-command", "local", parent=HOME)


def measure_native(source, destination, _):
    """REPLICAOF, until the link is up and both offsets are equal."""
    replica, master = destination.client(), source.client()
    begin = time.monotonic()
    replica("REPLICAOF", "127.0.0.1", source.port)
    while True:
        info = replica.info("replication")
        if info["master_link_status"] == "up":
            if info["master_repl_offset"] == master.info("replication")["master_repl_offset"]:
                break
        time.sleep(0.002)
    seconds = time.monotonic() - begin
    replica("REPLICAOF", "NO", "ONE")
    return {"seconds": seconds}


def measure_pipe(_, destination, options):
    with open(options.folder + "/restore.resp", "rb") as commands:
        begin = time.monotonic()
        run = subprocess.run([CLIENT, "-p", str(destination.port), "--pipe"], stdin=commands,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seconds = time.monotonic() - begin
    if run.returncode != 0 or b"errors: 0" not in run.stdout:
        raise Wrong(run.stdout.decode(errors="replace")[-300:])
    return {"seconds": seconds}


def measure_drain(source, _, __):
    """What no replica can beat: the source writes its snapshot, and nobody does anything with it."""
    begin = time.monotonic()
    subprocess.run([CLIENT, "-p", str(source.port), "--rdb", "-"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - begin}


class PeakMemory(threading.Thread):
    """Follows VmHWM of a process. (wait4's maxrss would count this script's own pages, too.)"""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = "/proc/%d/status" % pid
        self.bytes = 0
        self.start()

    def run(self):
        while True:
            try:
                with open(self.path) as file:
                    line = next((l for l in file if l.startswith("VmHWM")), None)
            except OSError:
                return
            if line is None:  # a process that has exited has no memory left to tell of
                return
            self.bytes = int(line.split()[1]) * 1024
            time.sleep(0.01)


def measure_tool(source, destination, options, *extra):
    command = [TOOL, "sync", "--once", "--no-progress",
               "--source", "redis://127.0.0.1:%d" % source.port,
               "--dest", "redis://127.0.0.1:%d" % destination.port, *extra, *options.extra]
    with open(HOME + "/tool.log", "wb") as log:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            memory = PeakMemory(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - begin
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode != 0:
        with open(HOME + "/tool.log", errors="replace") as log:
            raise Wrong("exit code %d\n%s" % (process.returncode, log.read()[-2000:]))
    memory.join()
    return {"seconds": seconds, "peak_memory_bytes": memory.bytes,
            "tool_cpu_seconds": usage.ru_utime + usage.ru_stime}


def measure_full(source, destination, options):
    return measure_tool(source, destination, options)


def measure_split(source, destination, options):
    return measure_tool(source, destination, options, "--prefix", dataset.SPLIT_PREFIX.decode())


def verify(source, destination, expected, rng):
    """Counts and digest of everything, and the exact expiry of a sample (no digest has it)."""
    there, here = destination.client(), source.client()
    found = dataset.facts(there)
    if found != expected:
        raise Wrong("the destination holds %s, expected %s" % (found, expected))
    keys = there.pipeline([("RANDOMKEY",)] * TTL_SAMPLE)
    rng.shuffle(keys)
    wanted = here.pipeline([("PEXPIRETIME", key) for key in keys])
    got = there.pipeline([("PEXPIRETIME", key) for key in keys])
    if wanted != got:
        raise Wrong("expiry times differ: %s" % next(z for z in zip(keys, wanted, got) if z[1] != z[2]))


MEASURES = {"native": measure_native, "pipe": measure_pipe, "drain": measure_drain,
            "full": measure_full, "split": measure_split}
BASELINES = ("native", "pipe", "drain")
PARTS = list(MEASURES) + ["parser", "files", "stream", "lag", "distance", "verify", "large", "many"]
ROUND_TRIPS = ("0", "20")  # milliseconds


def start_source(options):
    return Server(os.path.abspath(SERVER), "--enable-debug-command", "local",
                  "--repl-diskless-sync-delay", "0", "--dir", os.path.abspath(options.folder),
                  "--dbfilename", "dump.rdb", parent=HOME)


def measure_all(options, facts):
    rng = random.Random(dataset.SEED)
    names = [name for name in options.only if name in MEASURES]
    results = {name: [] for name in names}
    with start_source(options) as source:
        for run in range(options.runs):
            for name in names:  # interleaved, so that a slow minute of the machine hits all
                with start_destination() as destination:
                    source_before = source.cpu_seconds()
                    result = MEASURES[name](source, destination, options)
                    result["destination_cpu_seconds"] = destination.cpu_seconds()
                    result["source_cpu_seconds"] = source.cpu_seconds() - source_before
                    if name != "drain":
                        verify(source, destination, facts["split" if name == "split" else "full"], rng)
                say("run %d of %d: %-7s %6.2f s" % (run + 1, options.runs, name, result["seconds"]))
                results[name].append(result)
    return results


def measure_distance(options, facts):
    """A full sync to a destination that is a round trip away; 0 ms through the same proxy beside it."""
    rng = random.Random(dataset.SEED)

    def work(name):
        with start_destination() as destination, DelayProxy(destination.port, name) as proxy:
            result = measure_tool(source, proxy, options)
            verify(source, destination, facts["full"], rng)
        return result

    with start_source(options) as source:
        return stream_bench.measure("distance", ROUND_TRIPS, work, options.runs, say)


def measure_verify(options):
    """verify, beside a naive script, on two servers that hold the same."""
    with start_source(options) as source, start_destination() as destination:
        measure_tool(source, destination, options)
        return verify_bench.measure(options.tool, source, destination, options.runs, say)


def medians(runs):
    return {field: statistics.median(run[field] for run in runs) for field in runs[0]}


def table(summary, facts):
    """The figures as a Markdown table."""
    def cell(value, text):
        return text % value if value is not None else "–"

    lines = [
        "| what | seconds | keys/s | × native | × --pipe | × --rdb | peak memory MB | tool CPU s | destination CPU s | source CPU s |",
        "| --- |" + " ---: |" * 9,
    ]
    for name, row in summary.items():
        keys = facts["split" if name == "split" else "full"]["keys"]
        memory = row.get("peak_memory_bytes")
        ratios = [row["seconds"] / summary[base]["seconds"] if base in summary else None
                  for base in BASELINES]
        lines.append("| " + " | ".join([
            TITLES[name], cell(row["seconds"], "%.2f"), cell(keys / row["seconds"], "%.0f"),
            *(cell(value, "%.2f") for value in ratios),
            cell(memory and memory / MEGABYTE, "%.1f"), cell(row.get("tool_cpu_seconds"), "%.2f"),
            cell(row["destination_cpu_seconds"], "%.2f"),
            cell(row["source_cpu_seconds"], "%.2f")]) + " |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Full sync and prefix split of a mixed dataset, against "
        "a native replica and redis-cli --pipe; the rate and the lag of the stream (half as many SETs "
        "again as there are keys), beside a native replica and without checkpoints; a full sync to a "
        "destination 20 ms away; verify beside a naive script; RDB files without a server; values of 1 GB, and "
        "twenty times as many small keys (both once). All in the same run, and every result is verified.")
    parser.add_argument("--keys", type=int, default=1_000_000, help="size of the dataset (1000000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; medians are shown (5)")
    parser.add_argument("--workers", help="passed on to migr8sync")
    parser.add_argument("--queue-memory", help="passed on to migr8sync")
    parser.add_argument("--only", default=",".join(PARTS),
                        help="which to measure, by comma (all): " + ", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement of lag (10)")
    parser.add_argument("--json", metavar="FILE", help="also write every figure of every run there")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for name in options.only:
        if name not in PARTS:
            parser.error("--only knows %s, not '%s'" % (", ".join(PARTS), name))
    options.server, options.client, options.tool, options.home = SERVER, CLIENT, TOOL, HOME
    options.extra = []
    for name, value in (("workers", options.workers), ("queue-memory", options.queue_memory)):
        if value:
            options.extra += ["--" + name, value]
    return options


def measure_parts(options, facts):
    """Everything that was asked for; the tables to print, and all figures."""
    only, runs = options.only, options.runs
    tables, figures = [], {}
    if any(name in MEASURES for name in only):
        figures["runs"] = measure_all(options, facts)
        figures["medians"] = {name: medians(results) for name, results in figures["runs"].items()}
        tables.append(table(figures["medians"], facts))
    if "stream" in only:
        count = options.keys * 3 // 2
        figures["stream"] = stream_bench.measure(
            "stream", list(stream_bench.RATES),
            lambda name: stream_bench.measure_rate(name, options, count), runs, say)
        tables.append("%d pipelined SETs:\n\n%s" % (
            count, stream_bench.rate_table(figures["stream"])))
    if "lag" in only:
        figures["lag"] = stream_bench.measure(
            "lag", list(stream_bench.LAGS),
            lambda name: stream_bench.measure_lag(name, options, options.seconds), runs, say)
        tables.append(stream_bench.lag_table(figures["lag"]))
    if "distance" in only:
        figures["distance"] = measure_distance(options, facts)
        tables.append(stream_bench.distance_table(figures["distance"], facts["full"]["keys"]))
    if "verify" in only:
        figures["verify"] = measure_verify(options)
        tables.append(verify_bench.table(figures["verify"]))
    if "files" in only:
        file = os.path.join(options.folder, "dump.rdb")
        figures["files"] = extract_bench.measure(options.tool, file, CHECK, runs, say)
        tables.append(extract_bench.table(figures["files"], os.path.getsize(file), CHECK))
        tables.append(rdbtools_bench.measure(
            options.tool, options.home, options.client, options.keys, runs, say))
    # A benchmark of fewer keys takes smaller ones of these, too.
    scale = max(1, 1_000_000 // options.keys)
    if "large" in only:
        figures["large"] = size_bench.measure_values(options, measure_tool, scale, Wrong, say)
        tables.append(size_bench.values_table(figures["large"]))
    if "many" in only:
        figures["many"] = size_bench.measure_keys(
            options, measure_native, measure_tool, scale, Wrong, say)
        tables.append(size_bench.keys_table(figures["many"]))
    if "parser" in only:
        file = os.path.join(options.folder, "dump.rdb")
        figures["parser"] = parser_bench.measure(file, CHECK, runs, say)
        tables.append(parser_bench.table(figures["parser"], os.path.getsize(file)))
    return tables, figures


def main():
    options = arguments()
    exit_on_signals()
    os.makedirs(HOME, exist_ok=True)
    options.folder, facts = dataset.prepare(options.keys, os.path.abspath(SERVER), CLIENT, HOME, say)
    try:
        tables, figures = measure_parts(options, facts)
    except (Wrong, stream_bench.Wrong, verify_bench.Wrong) as wrong:
        say("scripts/bench: FAILED: %s" % wrong)
        sys.exit(1)
    print("%d keys, %d of them under bump:; Redis 7.0 on both sides; %d cores; median of %d\n" % (
        facts["full"]["keys"], facts["split"]["keys"], os.cpu_count(), options.runs))
    print("\n\n".join(tables))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"keys": options.keys, **figures, "facts": facts,
                       "options": options.extra, "cores": os.cpu_count(),
                       "machine": platform.machine()}, file, indent=2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("scripts/bench: interrupted")
        sys.exit(130)
