"""The demonstration; started by scripts/demo, which sees to servers and build.

The verdict does not come from migr8sync: a native replica of the source tells what should be there.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import dataset
from resp import Server, exit_on_signals

SERVER = os.path.abspath(".servers/redis-7.0/redis-server")
CLIENT = ".servers/redis-7.0/redis-cli"
TOOL = ".build/release/migr8sync"
KEYS = 200_000
PREFIX = dataset.SPLIT_PREFIX
FOLLOWING_SECONDS = 8
WAIT_SECONDS = 60
BATCH = 500


class Failed(Exception):
    """The demonstration could not show what it should."""


def tell(text=""):
    print(text, flush=True)


class Application(threading.Thread):
    """Writes to the source, on both sides of the prefix, until it is told to stop."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client = server.client()
        self.stopped = threading.Event()
        self.commands = 0
        self.random = random.Random(dataset.SEED)

    def run(self):
        while not self.stopped.wait(0.005):
            batch = [command for _ in range(4) for command in self.some_commands()]
            self.client.pipeline(batch)
            self.commands += len(batch)

    def some_commands(self):
        draw = self.random.randrange
        commands = []
        for prefix in ("bump:", "sidekiq:"):
            number = draw(500)
            commands += [
                ("INCR", "%scounter:%d" % (prefix, number)),
                ("LPUSH", "%squeue:%d" % (prefix, number), "job %d" % draw(10**6)),
                ("LTRIM", "%squeue:%d" % (prefix, number), 0, 99),
                ("HSET", "%sseen:%d" % (prefix, number), "field%d" % draw(20), draw(10**6)),
                ("SET", "%slock:%d" % (prefix, number), draw(10**6), "EX", 1 + draw(600)),
                ("MULTI",),
                ("INCRBY", "%sbalance:%d" % (prefix, number), -5),
                ("INCRBY", "%sbalance:%d" % (prefix, draw(500)), 5),
                ("EXEC",),
            ]
        return commands

    def stop(self):
        self.stopped.set()
        self.join()


def replicas(client):
    """The attached replicas as INFO replication has them."""
    lines = client.info("replication")
    return [dict(part.split("=", 1) for part in value.strip().split(","))
            for name, value in lines.items() if name.startswith("slave") and "offset=" in value]


def await_tool(tool, what, condition):
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if tool.poll() is not None:
            raise Failed("migr8sync ended by itself, with exit code %d" % tool.returncode)
        if time.monotonic() > end:
            raise Failed("waited %d s, and %s" % (WAIT_SECONDS, what))
        time.sleep(0.02)


def in_sync(client):
    replication = client.info("replication")
    attached = replicas(client)
    # All is applied when all but the last byte is acknowledged (docs/failover.md says why).
    return attached and \
        int(attached[0]["offset"]) + 1 >= int(replication["master_repl_offset"])


def stop(tool):
    """Ends the tool where it still runs. Ctrl-C at the terminal has reached it already."""
    for end in (lambda: None, tool.terminate, tool.kill):
        end()
        try:
            tool.wait(timeout=3)
            return
        except subprocess.TimeoutExpired:
            continue


def sync(source, destination, application):
    """Runs migr8sync until it is in sync with a source that nobody writes to any more."""
    words = [TOOL, "sync", "--source", "redis://127.0.0.1:%d" % source.port,
             "--dest", "redis://127.0.0.1:%d" % destination.port, "--prefix", PREFIX.decode()]
    tell("\n$ migr8sync %s\n" % " ".join(words[1:]))
    client = source.client()
    tool = subprocess.Popen(words)
    try:
        await_tool(tool, "migr8sync is not following yet", lambda: any(
            replica["state"] == "online" and int(replica["offset"]) > 0
            for replica in replicas(client)))
        end = time.monotonic() + FOLLOWING_SECONDS
        await_tool(tool, "", lambda: time.monotonic() > end)
        application.stop()
        await_tool(tool, "migr8sync has not caught up", lambda: in_sync(client))
        tool.send_signal(signal.SIGINT)
        code = tool.wait(timeout=WAIT_SECONDS)
    finally:
        stop(tool)
    tell("\nThe application has stopped after %d commands, migr8sync was in sync and was interrupted "
         "(exit code %d)." % (application.commands, code))
    if code != 5:
        raise Failed("an interrupted run should end with exit code 5, not %d" % code)


def truth(source, folder):
    """A promoted native replica of the source, without the keys that should not move."""
    replica = Server(SERVER, "--enable-debug-command", "local", parent=folder)
    try:
        client = replica.client()
        client("REPLICAOF", "127.0.0.1", source.port)
        end = time.monotonic() + WAIT_SECONDS
        while client.info("replication")["master_link_status"] != "up":
            if time.monotonic() > end:
                raise Failed("the native replica does not come up")
            time.sleep(0.02)
        client("REPLICAOF", "NO", "ONE")
        for names in scan(client):
            others = [name for name in names if not name.startswith(PREFIX)]
            if others:
                client("UNLINK", *others)
        return replica
    except BaseException:
        replica.stop()
        raise


def scan(client):
    cursor = b"0"
    while True:
        cursor, names = client("SCAN", cursor, "COUNT", BATCH)
        yield names
        if cursor == b"0":
            return


def contents(server):
    """Every key's digest and expiry time; what a job keeps for itself is no data."""
    client = server.client()
    found = {}
    for names in scan(client):
        names = [name for name in names if not name.startswith(b"migr8sync:job:")]
        if names:
            digests = client("DEBUG", "DIGEST-VALUE", *names)
            expiries = client.pipeline([("PEXPIRETIME", name) for name in names])
            # -2: it has expired since the question before.
            found.update((n, s) for n, s in zip(names, zip(digests, expiries)) if s[1] != -2)
    return found


def compare(expected, found):
    """The names of the keys that differ, expired ones aside."""
    now = time.time() * 1000
    alive = [{name: state for name, state in side.items() if state[1] < 0 or state[1] > now}
             for side in (expected, found)]
    names = alive[0].keys() | alive[1].keys()
    return len(names), sorted(name for name in names if alive[0].get(name) != alive[1].get(name))


def demonstrate(folder):
    with Server(SERVER, "--repl-diskless-sync-delay", "0", parent=folder) as source, \
            Server(SERVER, "--enable-debug-command", "local", parent=folder) as destination:
        tell("Filling a source with %d keys ..." % KEYS)
        dataset.pipe(CLIENT, source.port, dataset.commands(KEYS))
        tell("Source: port %d, %d keys, a tenth of them under %s" % (
            source.port, source.client()("DBSIZE"), PREFIX.decode()))
        tell("Destination: port %d, empty" % destination.port)
        application = Application(source)
        application.start()
        tell("An application keeps writing to the source: counters, queues, hashes, locks that expire, "
             "transactions.")
        try:
            sync(source, destination, application)
        finally:
            application.stop()
        tell("Now the check: a native replica of the source, reduced to %s, says what should be there."
             % PREFIX.decode())
        with truth(source, folder) as replica:
            count, different = compare(contents(replica), contents(destination))
    if different:
        raise Failed("%d of %d keys differ, among them %s" % (
            len(different), count, ", ".join(repr(name) for name in different[:3])))
    if count < KEYS // 20:
        raise Failed("only %d keys arrived" % count)
    tell("\nEQUAL: all %d keys under %s are at the destination, each with the same value and the same "
         "expiry time, and no key is there that should not be." % (count, PREFIX.decode()))


def main():
    exit_on_signals()
    folder = tempfile.mkdtemp(prefix="migr8sync-demo-")
    try:
        demonstrate(folder)
    except Failed as failure:
        tell("\nFAILED: %s" % failure)
        sys.exit(1)
    except KeyboardInterrupt:
        tell("\nInterrupted; everything the demo started is stopped.")
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
