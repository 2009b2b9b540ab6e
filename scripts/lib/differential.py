"""The differential test: a random application, random rules, the tool, and a judge. Started by
scripts/differential.

  workload ─▶ source ─▶ migr8sync ─▶ destination      must hold what the replica holds,
                └─▶ native replica, the truth         seen through the rules, and nothing else

After every round both have come to the same offset, and nothing is about to expire.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

import keyspace
from crash_servers import PausableServer
from resp import exit_on_signals
from rules import STYLES, Rules
from workload import Workload
import catalogue

HOME = ".bench"
PROGRAMS = {"6.2": ".servers/redis-6.2/redis-server", "7.0": ".servers/redis-7.0/redis-server",
            "8.2": ".servers/redis-8.2/redis-server", "valkey": ".servers/valkey-8.1/valkey-server"}
# Of the same version first; the others are drawn now and then.
DESTINATIONS = {"6.2": ("6.2", "7.0", "valkey", "8.2"), "7.0": ("7.0", "8.2", "valkey"),
                "8.2": ("8.2",), "valkey": ("valkey",)}
PATIENCE = 60
COUNTED = ("keys_repaired", "full_resynchronisations")
FOREIGN = {(0, b"foreign"): b"theirs", (5, b"foreign:too"): b"theirs"}
# Sources that send times to live as they came: what both sides make of them may differ by so much.
RELATIVE_TOLERANCE_MS = 10_000


class Failed(Exception):
    """What must not happen has happened."""


def server(version):
    options = [] if version == "6.2" else ["--enable-debug-command", "yes"]
    return PausableServer(os.path.abspath(PROGRAMS[version]), "--repl-diskless-sync-delay", "0",
                          *options, parent=HOME)


class Case:
    """One seed at one source."""

    def __init__(self, options, source, seed):
        self.options, self.version, self.seed = options, source, seed
        rng = self.random = random.Random("%s %d" % (source, seed))
        self.rules = Rules(rng, options.style)
        other = rng.choice(DESTINATIONS[source]) if rng.random() < 0.5 else source
        self.target = options.destination or other
        self.isVerbatim = source == "6.2" and rng.random() < 0.3
        self.isShared = self.rules.mayShare and rng.random() < 0.5
        self.log = os.path.join(HOME, "differential-%s-%d-%d.log" % (source, seed, os.getpid()))
        self.servers = []
        self.tool = None
        self.compared = 0

    def __str__(self):
        return "seed %d, %s to %s%s%s: %s" % (
            self.seed, self.version, self.target, ", scripts as they are" if self.isVerbatim else "",
            ", beside others' keys" if self.isShared else "", self.rules)

    def start(self, version):
        self.servers.append(server(version))
        return self.servers[-1]

    def run(self):
        try:
            self.source, self.native = self.start(self.version), self.start(self.version)
            self.elsewhere = self.start(self.version)
            self.destinations = [self.start(self.target) for _ in range(self.rules.count)]
            control = self.source.client()
            if self.isVerbatim:
                control("CONFIG", "SET", "lua-replicate-commands", "no")
            self.workload = Workload(
                self.source, self.elsewhere, self.rules, self.random, self.isVerbatim)
            if self.rules.types:  # a new snapshot would decide anew
                self.workload.forget("flushall", "flushdb", "swapdb")
            self.workload.play(self.options.commands)
            self.native.client()("REPLICAOF", "127.0.0.1", self.source.port)
            for destination in self.destinations if self.isShared else ():
                for (database, key), value in FOREIGN.items():
                    destination.client().pipeline([("SELECT", database), ("SET", key, value)])
            self.start_tool()
            if self.rules.types:  # decided by the snapshot, which nothing may change meanwhile
                self.workload.settle()
                self.await_offset()
                self.rules.leave(keyspace.read(self.native.client()))
            for number in range(self.options.rounds):
                self.play()
                self.workload.settle()
                self.await_offset()
                self.judge(number)
            self.end()
        finally:
            if self.tool:
                self.tool.kill()
                self.tool.wait()
            for one in self.servers:
                one.stop()

    def play(self):
        """A round of commands; now and then the tool sleeps through a part of it, and is late."""
        for _ in range(4):
            isAsleep = self.random.random() < 0.3
            if isAsleep:
                self.tool.send_signal(signal.SIGSTOP)
            self.workload.play(self.options.commands // 4)
            if isAsleep:
                self.tool.send_signal(signal.SIGCONT)

    def start_tool(self):
        with open(self.log, "wb") as log:
            self.tool = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self.options.tool, "sync", "--explain",
                 "--no-progress", "--log-format", "json",
                 "-s", "redis://127.0.0.1:%d" % self.source.port, "--config", "-"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        with self.tool.stdin as rules:
            rules.write(self.rules.file([one.port for one in self.destinations]))

    def log_lines(self):
        with open(self.log, errors="replace") as file:
            return file.read().splitlines()

    def await_offset(self):
        """Until both have acknowledged all that was written; a PUBLISH stands for it."""
        client = self.source.client()
        client("PUBLISH", "differential", "the end of a round")
        end = time.monotonic() + PATIENCE
        while client("WAIT", 2, 2000) < 2:
            if self.tool.poll() is not None:
                raise Failed("the tool ended with code %d:\n%s" % (
                    self.tool.returncode, "\n".join(self.log_lines()[-8:])))
            if time.monotonic() > end:
                raise Failed("not in sync after %d s:\n%s" % (
                    PATIENCE, "\n".join(self.log_lines()[-8:])))

    def judge(self, number):
        isSame = self.version == self.target
        truth = keyspace.read(self.native.client(), digests=isSame, is_portable=not isSame)
        for index, destination in enumerate(self.destinations):
            found = keyspace.read(destination.client(), digests=isSame, is_portable=not isSame)
            expected = self.rules.seen(truth, index)
            for name, value in FOREIGN.items() if self.isShared else ():
                state = found.pop(name, None)
                if state is None or state[1] != value:
                    raise Failed("the others' key %r is %r" % (name, state))
            if self.version == "6.2":
                forgive_expiries(found, expected)
            if self.options.canary and expected:
                found[self.random.choice(sorted(expected))] = None
            self.compared += len(expected)
            lines = keyspace.differences(found, expected, most=8)
            if lines:
                wrong = [n for n in sorted(found.keys() | expected.keys())
                         if found.get(n) != expected.get(n)]
                raise Failed("round %d, destination %d:\n%s\n%s" % (
                    number, index, "\n".join(lines), "\n".join(self.explained(wrong[:3]))))

        if not self.rules.options and not self.rules.routes and "6.2" not in (self.version, self.target):
            self.judge_functions(number)

    def judge_functions(self, number):
        """Where everything goes, functions do."""
        truth, found = ({row[1]: repr(sorted(map(repr, row))) for row in one.client()(
            "FUNCTION", "LIST", "WITHCODE")} for one in (self.native, self.destinations[0]))
        if truth != found:
            raise Failed("round %d: functions %s, source %s" % (
                number, sorted(found), sorted(truth)))

    def explained(self, names):
        """What --explain said about keys, by the end of their names: it is the source's, too."""
        lines = []
        for database, key in names:
            key = key[-4:] if self.rules.rewrites else key
            text = repr(key)[2:-1]
            lines.append("--explain about %r:" % key)
            about = [line for line in self.log_lines()
                     if text in line or "FLUSH" in line.upper() or "SWAPDB" in line.upper()]
            lines += ["  " + line[:400] for line in about[-25:]]
        return lines

    def end(self):
        self.tool.send_signal(signal.SIGINT)
        code = self.tool.wait(30)
        if code != 5:
            raise Failed("SIGINT ended the tool with code %d" % code)
        self.summary = next((json.loads(line) for line in reversed(self.log_lines())
                             if line.startswith('{"event":"summary"')), {})
        os.unlink(self.log)


def forgive_expiries(found, expected):
    for name, state in expected.items():
        ours = found.get(name)
        if ours and ours[2] > 0 < state[2] and abs(ours[2] - state[2]) < RELATIVE_TOLERANCE_MS:
            found[name] = ours[:2] + state[2:3] + ours[3:]


class Coverage:
    """Which of a source's commands were sent, and did something."""

    def __init__(self):
        self.known, self.succeeded = {}, set()

    def add(self, workload):
        self.known = workload.known
        self.succeeded |= workload.succeeded

    def missing(self):
        """Write commands that cannot be made; and those that never succeeded."""
        names = {form.name for form in catalogue.read(catalogue.FORMS)} | set(catalogue.MADE)

        def covers(names, name):
            return name in names or any(other.startswith(name + "|") for other in names)
        writing = sorted(name for name, writes in self.known.items() if writes)
        return ([name for name in writing if not covers(names, name)],
                [name for name in writing if covers(names, name) and not covers(self.succeeded, name)])


def run(options):
    failures, total = 0, 0
    for source in options.source or list(PROGRAMS):
        coverage, commands, keys, kinds = Coverage(), 0, 0, {}
        style = " --style " + options.style if options.style else ""
        seeds = [options.seed] if options.seed is not None else [
            options.first + number for number in range(options.seeds)]
        for seed in seeds:
            case = Case(options, source, seed)
            print(case, flush=True)
            try:
                case.run()
            except Failed as failure:
                failures += 1
                print("DIFFERENT: %s\nagain: scripts/differential --source %s --seed %d --rounds %d"
                      " --commands %d%s\nlog: %s" % (failure, source, seed, options.rounds,
                                                     options.commands, style, case.log), flush=True)
                if failures >= options.failures:
                    sys.exit(1)
                continue
            total += 1
            coverage.add(case.workload)
            commands, keys = commands + case.workload.commands, keys + case.compared
            for kind, count in case.summary.items():
                if kind.startswith("commands_") or kind in COUNTED:
                    kinds[kind] = kinds.get(kind, 0) + count
        report(source, coverage, len(seeds), commands, keys, kinds)
    print("%d seeds, %d different" % (total + failures, failures))
    return failures


def report(source, coverage, seeds, commands, keys, kinds):
    missing, idle = coverage.missing()
    print("source %s: %d seeds, %d commands sent, %d keys compared" % (source, seeds, commands, keys))
    print("  the tool: " + (", ".join("%s %d" % pair for pair in kinds.items() if pair[1]) or "-"))
    print("  write commands of its COMMAND that are not generated: " + (", ".join(missing) or "none"))
    if idle:
        print("  generated, but without success in these seeds: " + ", ".join(idle))


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/differential", description="Random workloads of every write command under random "
        "rules; the destination must hold what a native replica holds, seen through the rules.")
    parser.add_argument("--source", action="append", choices=list(PROGRAMS), help="all by default")
    parser.add_argument("--destination", choices=list(PROGRAMS), help="drawn by default")
    parser.add_argument("--seeds", type=int, default=3, help="how many for each source (3)")
    parser.add_argument("--first", type=int, help="the first seed of several (random)",
                        default=random.SystemRandom().randrange(1 << 20))
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--style", choices=sorted(set(STYLES)), help="of the rules; drawn by default")
    parser.add_argument("--rounds", type=int, default=3, help="of commands, each judged (3)")
    parser.add_argument("--commands", type=int, default=600, help="about so many a round (600)")
    parser.add_argument("--failures", type=int, default=1, help="end after so many differences (1)")
    parser.add_argument("--canary", action="store_true", help="overlook a key: that has to be noticed")
    parser.add_argument("--tool", default=".build/debug/migr8sync")
    options = parser.parse_args()
    exit_on_signals()
    os.makedirs(HOME, exist_ok=True)
    sys.exit(1 if run(options) else 0)


if __name__ == "__main__":
    main()
