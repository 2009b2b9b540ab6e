"""Cutovers of a writing application, one after the other; started by scripts/cutover-drill."""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cutover_application
from resp import Server, exit_on_signals

SOURCES = {
    "redis-6.2": ".servers/redis-6.2/redis-server",
    "redis-7.0": ".servers/redis-7.0/redis-server",
    "redis-8.2": ".servers/redis-8.2/redis-server",
    "valkey-8.1": ".servers/valkey-8.1/valkey-server",
}
NEWEST = ".servers/redis-8.2/redis-server"
FENCES = ("pause", "pause-all", "acl:default")


def fail(message, tool=None):
    if tool is not None:
        tool.kill()
    raise SystemExit("cutover-drill: FAILED: " + message)


def ask(options, environment, *words):
    return subprocess.run([options.tool, *words], env=environment, capture_output=True, text=True, timeout=60)


def await_following(options, environment, tool, direction="forward"):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if tool.poll() is not None:
            fail("the run ended with %d" % tool.returncode)
        said = ask(options, environment, "status", "--json")
        if said.returncode == 0:
            status = json.loads(said.stdout)
            if status["phase"] == "following" and status["direction"] == direction:
                return
        time.sleep(0.05)
    fail("the run does not follow (%s)" % direction, tool)


def judge(counts, home):
    """Every acknowledged write is at its home, in order and once."""
    for name, count in counts:
        client = home(name).client()
        numbers = [int(n) for n in client("LRANGE", name + ":list", 0, -1)]
        if numbers != list(range(0, count, 2)):
            fail("%s: the list has %d numbers, the application wrote %d; the first that is wrong stands at %d"
                 % (name, len(numbers), (count + 1) // 2,
                    next((i for i, n in enumerate(numbers) if n != 2 * i), len(numbers))))
        if int(client("GET", name + ":count") or 0) != count // 2:
            fail("%s: the counter is not %d" % (name, count // 2))


def judge_left(names, server):
    """What the side that was left has is what was written up to then: nothing missing in it, nothing twice."""
    client = server.client()
    for name in names:
        numbers = [int(n) for n in client("LRANGE", name + ":list", 0, -1)]
        count = int(client("GET", name + ":count") or 0)
        if numbers != list(range(0, 2 * len(numbers), 2)) or not 0 <= len(numbers) - count <= 1:
            fail("%s at the side that was left: %d numbers, %d counted" % (name, len(numbers), count))


STILL = [["SET", "bump:still:%d" % n, "value %d" % n] for n in range(100)] + \
    [["HSET", "bump:hash:%d" % n, "field", n] for n in range(100)]


def judge_still(source, destination):
    """Keys that nobody has touched are the same on both sides."""
    for command in STILL:
        reading = ["GET", command[1]] if command[0] == "SET" else ["HGET", command[1], "field"]
        for server in (source, destination):
            if server.client()(*reading) != str(command[-1]).encode():
                fail("%s is not what it was" % command[1])


class Round:
    """One application that is handed over, and back where that is asked for, from the beginning to the end."""

    def __init__(self, options, folder, fence):
        self.options, self.folder, self.fence = options, folder, fence
        self.environment = dict(os.environ, MIGR8SYNC_RUNTIME_DIR=folder)
        self.log = open(os.path.join(folder, "log"), "w+")
        self.begun, self.reports = [], []
        self.moved = os.path.join(folder, "moved")
        if not os.path.exists(self.moved):
            os.mkfifo(self.moved)

    def cut_over(self, tool, application, *words):
        self.begun.append(time.monotonic())
        said = ask(
            self.options, self.environment, "cutover", "--json", "--skip-verify", "--fence", self.fence, "--fence-time",
            "5s", "--observe-time", "200ms", "--linger", "300ms", "--on-cutover",
            "kill -USR1 %d; read answer < %s" % (application.pid, self.moved), *words)
        if said.returncode != 0:
            self.log.seek(0)
            fail("the cutover: %s%s\n%s" % (said.stdout, said.stderr, self.log.read()), tool)
        report = json.loads(said.stdout.splitlines()[-1])
        if report["late_writes"] and self.fence != "pause-all":
            fail("late writes: %s" % report["late_write_examples"])
        self.reports.append(report)

    def run(self, kind):
        """The application's worst wait, before and in it."""
        options, abandons = self.options, self.fence == "pause-all"  # nobody is answered before that has ended
        with Server(SOURCES[kind], "--repl-diskless-sync-delay", "0", parent=self.folder) as source, \
                Server(NEWEST, parent=self.folder) as destination:
            writer = source.client()
            for command in STILL:
                writer(*command)
            results, sender = multiprocessing.Pipe(duplex=False)
            application = multiprocessing.Process(
                target=cutover_application.run,
                args=(sender, source.port, destination.port, options.connections, 0 if "acl" in self.fence else 2,
                      options.rate, abandons, self.moved))
            application.start()
            results.recv()
            tool = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", options.tool, "sync", "-s", "redis://127.0.0.1:%d" % source.port,
                 "-d", "redis://127.0.0.1:%d" % destination.port, "-p", "bump:", "--no-progress"],
                env=self.environment, stdout=self.log, stderr=self.log)
            try:
                await_following(options, self.environment, tool)
                time.sleep(options.before)
                if options.reverse:
                    self.cut_over(tool, application, "--reverse")
                    await_following(options, self.environment, tool, "reverse")
                    time.sleep(options.before)
                    self.cut_over(tool, application, "--back")
                else:
                    self.cut_over(tool, application)
                if tool.wait(30) != 0:
                    fail("the run ended with %d" % tool.returncode)
                time.sleep(0.2)
                os.kill(application.pid, signal.SIGTERM)
                counts, latencies = results.recv()
                application.join()
                moved = source if options.reverse else destination
                judge(counts, lambda name: moved if name.startswith("bump:") else source)
                if options.reverse:
                    judge_left([name for name, _ in counts if name.startswith("bump:")], destination)
                judge_still(source, destination)
                for server in (source, destination):
                    if server.client()("KEYS", "migr8sync:*"):
                        fail("the job has left something behind")
                if destination.client()("KEYS", "other:*"):
                    fail("keys have moved that were not to")
                before = max(took for took, at in latencies if at < self.begun[0])
                during = max(took for took, at in latencies if at >= self.begun[0])
                return before, during, self.reports, sum(count for _, count in counts)
            finally:
                application.kill()
                tool.kill()
                tool.wait()


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def drill(options, folder, kind, fence):
    before, during, tools = [], [], []
    for number in range(options.rounds):
        noise, pause, reports, writes = Round(options, folder, fence).run(kind)
        before.append(noise * 1000)
        during.append(pause * 1000)
        for report in reports:
            tools.append(report.get("pause_us", 0) / 1000)
            steps = " ".join(
                "%s %.2f" % (step, report["steps_us"][step] / 1000)
                for step in ("fence", "drain", "check", "mark", "switch", "lift"))
            if not options.quiet:
                print("%s %s %d %s: held %.2f ms (by the tool's clock %.2f: %s); %d ended, %d writes"
                      % (kind, fence, number + 1, report["direction"], during[-1], tools[-1], steps,
                         report.get("connections_ended", 0), writes), flush=True)
    print("%s, fence %s: %d %s, nothing lost, nothing done twice; the application's longest wait:"
          " p50 %.2f ms, p99 %.2f ms, max %.2f ms; by the tool's clock p50 %.2f, p99 %.2f;"
          " its longest before any cutover p50 %.2f, p99 %.2f"
          % (kind, fence, options.rounds, "times there and back" if options.reverse else "cutovers",
             percentile(during, 0.5), percentile(during, 0.99), max(during),
             percentile(tools, 0.5), percentile(tools, 0.99), percentile(before, 0.5), percentile(before, 0.99)),
          flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/cutover-drill", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=50, help="cutovers of each kind (50)")
    parser.add_argument("--source", default="redis-7.0", choices=[*SOURCES, "all"],
                        help="the source; all: every one, and 7.0 by every fence")
    parser.add_argument("--fence", default="pause", choices=FENCES)
    parser.add_argument("--reverse", action="store_true",
                        help="hand over with --reverse, write on the new side, and hand back")
    parser.add_argument("--rate", type=float, default=5000, help="commands a second (5000)")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--before", type=float, default=0.5, help="seconds of writing before the cutover")
    parser.add_argument("--tool", default=".build/release/migr8sync")
    parser.add_argument("--quiet", action="store_true", help="only the figures of all of them")
    options = parser.parse_args()
    if options.reverse and "acl" in options.fence:
        parser.error("--fence acl:default closes the old side to the tool, too: there is no reverse then")
    options.tool = os.path.abspath(options.tool)
    exit_on_signals()
    multiprocessing.set_start_method("fork")
    folder = tempfile.mkdtemp(prefix="migr8sync-drill-")
    try:
        if options.source == "all":
            for kind in SOURCES:
                drill(options, folder, kind, "pause")
            for fence in FENCES[1:2] if options.reverse else FENCES[1:]:
                drill(options, folder, "redis-7.0", fence)
        else:
            drill(options, folder, options.source, options.fence)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
