"""The crash machine: an application writes, the tool follows, and a random actor kills, pauses and cuts
everything that can be killed, paused or cut. Started by scripts/crash.

  application ─▶ source ──proxy──▶ migr8sync ──proxy──▶ destination ─▶ its replica (for failovers)
                   └─▶ native replica, attached all the time: the truth

In the end the destination must hold what the native replica holds, every counter what the application
counted, and the source must have made no more snapshots than the faults force.
"""

import argparse
import os
import random
import signal
import sys
import time

import keyspace
from application import INSIDE, Application
from crash_servers import Destination, PausableServer
from crash_tool import Failed, Tool
from proxy import Proxy
from resp import ReplyError, exit_on_signals

HOME = ".bench"
SERVER = ".servers/redis-7.0/redis-server"
LEASE = 10.0
RECORD = "migr8sync:job:crash"


class Machine:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.folder = os.path.abspath(os.path.join(HOME, "crash-%d" % options.seed))
        os.makedirs(self.folder, exist_ok=True)
        for name in os.listdir(self.folder):
            if name.endswith(".log"):
                os.unlink(os.path.join(self.folder, name))
        self.journal = open(os.path.join(self.folder, "journal.log"), "w")
        self.toolCount = 0
        self.forced = 2  # the native replica's snapshot, and the tool's first
        self.reasons = []
        self.counts = {}
        self.spoiled = 0
        self.began = time.monotonic()
        program = os.path.abspath(SERVER)
        self.source = PausableServer(program, "--repl-backlog-size", "128mb",
                                     "--repl-diskless-sync-delay", "0", "--enable-debug-command",
                                     "yes", parent=HOME)
        self.native = PausableServer(program, parent=HOME)
        self.native.client()("REPLICAOF", "127.0.0.1", self.source.port)
        self.policy = options.fsync or self.random.choice(("everysec", "always"))
        self.destination = Destination(program, self.policy, HOME)
        self.link = Proxy(self.source.port)
        self.front = Proxy(self.destination.primary.port)
        self.say("seed %d, appendfsync %s, logs in %s" % (options.seed, self.policy, self.folder))

    def say(self, text):
        line = "%7.2f %s" % (time.monotonic() - self.began, text)
        self.journal.write(line + "\n")
        self.journal.flush()
        print(line, flush=True)

    # The tool

    def start(self, *options):
        self.tool = Tool(self, *options)

    def keep_running(self, *options):
        """Starts the tool again if it could not begin, as its operator would; nothing else is allowed."""
        if self.tool.code is None:
            return
        log = self.tool.log()
        last = log.strip().splitlines()[-1:] or [""]
        if not self.tool.could_not_begin():
            raise Failed("the tool ended by itself with code %s:\n%s" % (self.tool.code, log[-3000:]))
        self.say("the tool could not begin: %s" % last[0][:150])
        time.sleep(0.3)
        self.start(*options)

    def record(self):
        try:
            client = self.destination.primary.client(timeout=2)
            reply = client("HGETALL", RECORD)
            client.close()
            return dict(zip(reply[::2], reply[1::2]))
        except (OSError, ReplyError):
            return None

    def repairs(self):
        """How many keys the destination's record says are under repair; some, when it cannot be asked."""
        try:
            client = self.destination.primary.client(timeout=2)
            count = client("SCARD", RECORD + ":repairs")
            client.close()
            return count
        except (OSError, ReplyError):
            return 1

    def await_following(self, seconds=60):
        """Until the destination's checkpoint has moved."""
        first = None
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.keep_running()
            record = self.record()
            if record and record.get(b"phase") == b"stream":
                first = first or record[b"offset"]
                if record[b"offset"] != first:
                    return
            time.sleep(0.02)
        raise Failed("the tool does not follow for %d s; its log:\n%s" % (
            seconds, self.tool.log()[-3000:]))

    def allow_full(self, why):
        self.forced += 1
        self.reasons.append(why)

    def allow_lost_record(self, how):
        """A destination that does not know that it has the whole snapshot is given another."""
        if self.destination.primary.client()("HGET", RECORD, "phase") != b"stream":
            self.allow_full("the %s destination does not know that the snapshot is there" % how)

    # The faults

    def kill_tool(self):
        self.tool.send(signal.SIGKILL)
        self.tool.wait(10, "SIGKILL")
        time.sleep(self.random.choice((0, 0, self.random.random())))
        self.start()

    def terminate_tool(self):
        self.keep_running()
        self.tool.send(self.random.choice((signal.SIGTERM, signal.SIGINT)))
        code = self.tool.wait(20, "SIGTERM")
        # 4: it is just being refused. By the signal itself: it had not come so far as to take it.
        isUnborn = code in (-signal.SIGTERM, -signal.SIGINT) and not self.tool.log()
        if code not in (5, 1, 4) and not isUnborn:
            raise Failed("SIGTERM ended the tool with code %d:\n%s" % (code, self.tool.log()[-3000:]))
        self.start()

    def doze_tool(self):
        self.tool.send(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.05, 2))
        self.tool.send(signal.SIGCONT)

    def sleep_past_lease(self):
        """Another runner takes over while the first sleeps; the first must end when it wakes."""
        self.await_following()
        sleeper = self.tool
        sleeper.send(signal.SIGSTOP)
        if self.random.random() < 0.5:
            time.sleep(LEASE + 1.5)
            self.start()
        else:
            self.start("--takeover")
        # The sleeper's own connections may hide that it sleeps: then it is waited for.
        self.await_following()
        sleeper.send(signal.SIGCONT)
        code = sleeper.wait(30, "a sleeper that another has taken over from")
        if code != 1 or "taken over" not in sleeper.log():
            raise Failed("a sleeper woke and ended with code %d:\n%s" % (code, sleeper.log()[-3000:]))

    def take_over(self):
        self.await_following()
        first = self.tool
        self.start("--takeover")
        end = time.monotonic() + 30
        while first.code is None and time.monotonic() < end:
            self.keep_running("--takeover")
            time.sleep(0.02)
        code = first.wait(1, "--takeover")
        if code != 1 or "taken over" not in first.log():
            raise Failed("taken over from: code %d:\n%s" % (code, first.log()[-3000:]))

    def drop_replicas(self):
        self.source.client()("CLIENT", "KILL", "TYPE", "replica")

    def cut_link(self):
        self.link.cut_after(self.random.randrange(20000))

    def hole_link(self):
        self.link.hole(self.random.uniform(0.5, 7))

    def cut_destination(self):
        self.front.cut_after(self.random.randrange(400))

    def hole_destination(self):
        self.front.hole(self.random.uniform(0.5, 7))

    def strand_destination(self):
        self.front.strand(self.random.uniform(0.1, 1))

    def drop_clients(self):
        self.destination.primary.client()("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def crash_destination(self):
        lost = self.destination.crash(self.random)
        self.say("  the destination lost %d bytes of its log" % lost)
        time.sleep(self.random.choice((0, self.random.uniform(0, 2))))
        with self.front.held():
            self.destination.restart()
            self.allow_lost_record("restarted")

    def fail_over(self):
        if not self.destination.is_replica_current():
            return
        self.destination.promote_replica(self.random)
        self.allow_lost_record("promoted")
        self.front.switch(self.destination.primary.port)

    def pause_source(self):
        self.source.pause(self.random.uniform(0.1, 3))

    def pause_destination(self):
        self.destination.primary.pause(self.random.uniform(0.1, 3))

    def spoil_keys(self):
        """A stranger's keys are in the way of commands, which the destination refuses in the midst of their
        transaction; then the tool or its connection ends, perhaps before it has read so."""
        self.keep_running()
        if (self.record() or {}).get(b"phase") != b"stream":
            return  # keys that are there before the first snapshot rightly end the run
        there, here = self.destination.primary.client(), self.source.client()
        for _ in range(self.random.randrange(1, 6)):
            self.spoiled += 1
            key = "%sspoiled:%d" % (INSIDE, self.spoiled)
            there("SET", key, "a stranger's")
            here("RPUSH", key, self.spoiled)
        time.sleep(self.random.choice((0, self.random.random() * 0.01)))
        if self.random.random() < 0.5:
            self.kill_tool()
        else:
            self.drop_clients()

    FAULTS = ((kill_tool, 8), (spoil_keys, 4), (terminate_tool, 3), (doze_tool, 3), (sleep_past_lease, 0.4),
              (take_over, 1), (drop_replicas, 3), (cut_link, 4), (hole_link, 0.5),
              (cut_destination, 4), (hole_destination, 0.5), (strand_destination, 3),
              (drop_clients, 2),
              (crash_destination, 4), (fail_over, 2), (pause_source, 1), (pause_destination, 1))

    CONNECTION_FAULTS = (doze_tool, cut_destination, strand_destination, drop_clients,
                         pause_destination)

    def fault(self):
        faults = [(f, w) for f, w in self.FAULTS
                  if not self.options.only or f.__name__ in self.options.only]
        fault = self.random.choices([f for f, _ in faults], [w for _, w in faults])[0]
        self.say(fault.__name__)
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        record = self.record()
        # A connection that is lost in the snapshot costs none: what was not answered is sent again.
        costs = fault not in Machine.CONNECTION_FAULTS
        if costs and (not record or record.get(b"phase") != b"stream"):
            self.allow_full("%s while a snapshot was written" % fault.__name__)
        fault(self)

    # The run

    def run(self):
        application = Application(self.source, self.random.randrange(1 << 30))
        self.application = application
        self.start()
        self.await_following()
        for number in range(self.options.faults):
            if application.failure:
                raise Failed("the application: " + application.failure)
            self.fault()
            if self.random.random() < 0.7:
                self.await_following()
                time.sleep(self.random.random() * 1.2)
            else:
                time.sleep(self.random.random() * 0.3)
                self.keep_running()
        self.await_following()
        application.stop()
        self.conclude(application)

    def await_sync(self):
        source = self.source.client()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            self.keep_running()
            end = int(source.info("replication")["master_repl_offset"])
            record = self.record()
            native = self.native.client().info("replication")
            # A key that is to be read again is not yet as the source has it; the record says which.
            if record and int(record.get(b"offset", 0)) >= end and not self.repairs() and \
                    int(native["slave_repl_offset"]) >= end:
                return
            time.sleep(0.1)
        raise Failed("not in sync after 90 s; the tool's log:\n" + self.tool.log()[-3000:])

    def conclude(self, application):
        self.await_sync()
        self.tool.send(signal.SIGINT)
        code = self.tool.wait(20, "SIGINT")
        if code != 5:
            raise Failed("SIGINT ended the tool with code %d:\n%s" % (code, self.tool.log()[-3000:]))
        expected = keyspace.read(self.native.client(), [INSIDE.encode()])
        found = keyspace.read(self.destination.primary.client())
        lines = keyspace.differences(found, expected)
        inside = {k: v for k, v in application.counts.items() if k[1].startswith(INSIDE.encode())}
        wrong = [(name, count, found.get(name)) for name, count in inside.items()
                 if found.get(name, (None, b"-1"))[1] != b"%d" % count]
        fulls = int(self.source.client().info("stats")["sync_full"])
        self.say("%d faults: %s" % (self.options.faults, ", ".join(
            "%s %d" % pair for pair in sorted(self.counts.items()))))
        self.say("%d commands written; %d keys, %d counters compared" % (
            application.commands, len(expected), len(inside)))
        self.say("full resynchronisations: %d, the faults force at most %d" % (fulls, self.forced))
        for reason in self.reasons:
            self.say("  forced by: " + reason)
        if lines or wrong:
            raise Failed("\n".join(["the destination differs:"] + lines + [
                "counter %s: counted %d, found %s" % w for w in wrong]))
        if fulls > self.forced:
            raise Failed("more snapshots than the faults force")

    def stop(self):
        if getattr(self, "tool", None):
            self.tool.process.kill()
        for server in (self.source, self.native, self.destination):
            server.stop()


def main():
    parser = argparse.ArgumentParser(prog="scripts/crash", description="Random faults; both sides must "
                                     "end equal, with every command applied exactly once.")
    parser.add_argument("faults", nargs="?", type=int, default=20, help="how many faults (20)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30),
                        help="of the sequence of faults and commands (their timing is not repeated)")
    parser.add_argument("--fsync", choices=("everysec", "always"), help="the destination's appendfsync")
    parser.add_argument("--only", type=lambda text: text.split(","), help="these faults, by comma")
    parser.add_argument("--tool", default=".build/debug/migr8sync")
    options = parser.parse_args()
    exit_on_signals()
    os.makedirs(HOME, exist_ok=True)
    machine = Machine(options)
    try:
        machine.run()
    except Exception as failure:
        machine.say("FAILED: %s" % failure)
        machine.say("again: scripts/crash %d --seed %d --fsync %s" % (
            options.faults, options.seed, machine.policy))
        if not isinstance(failure, Failed):
            raise
        sys.exit(1)
    finally:
        machine.stop()
    print("PASSED")


if __name__ == "__main__":
    main()
