"""Compares, mends and removes at size while an application writes; started by scripts/verify-drill.

  1  many comparisons beside a running job and an application: none may find anything
  2  differences of every kind planted at the destination: all found and rightly named, and mended
  3  the moved keys are removed while the application writes to others, and a client measures its own latency
     at the source
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time

import dataset
from application import Application
from resp import Server, exit_on_signals

HOME = ".bench"
SERVERS = ".servers/%s/redis-server"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Wrong(Exception):
    """Something that must not happen."""


def url(server):
    return "redis://127.0.0.1:%d" % server.port


def run(tool, command, source, destination, *options, codes=(0,)):
    result = subprocess.run([tool, command, "-s", url(source), "-d", url(destination), *options],
                            stdin=subprocess.DEVNULL, capture_output=True)
    if result.returncode not in codes:
        raise Wrong("%s ended with %d\n%s%s" % (
            command, result.returncode, result.stdout.decode(errors="replace")[-2000:],
            result.stderr.decode(errors="replace")[-2000:]))
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith(b"{")]


def load(server, count):
    client, batch = server.client(), []
    for number, command in enumerate(dataset.commands(count)):
        batch.append(command)
        if len(batch) == 1000 or number == count - 1:
            client.socket.sendall(b"".join(batch))
            for _ in batch:
                client.read()
            batch = []
    for number in range(count // 100):
        key = "user:stream:%d" % (number + 100)
        client.pipeline([("XADD", key, "%d-1" % (entry + 1), "field", number) for entry in range(4)])
        client("XGROUP", "CREATE", key, "group", 0)
        client("XREADGROUP", "GROUP", "group", "one", "COUNT", 3, "STREAMS", key, ">")


def follow(tool, source, destination):
    job = subprocess.Popen([tool, "sync", "-s", url(source), "-d", url(destination), "--no-progress"],
                           stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(6000):
        slaves = [v for k, v in source.client().info("replication").items()
                  if k.startswith("slave") and "port=0" in v and "state=online" in v]
        if any(int(dict(p.split("=") for p in v.split(","))["offset"]) > 0 for v in slaves):
            return job
        if job.poll() is not None:
            raise Wrong("sync ended with %d" % job.returncode)
        time.sleep(0.1)
    raise Wrong("sync does not come to follow")


# Nothing but the dataset itself: the application's keys change all the time.
DATASET_KEY = re.compile(r"[a-z]+:(string|hash|zset|list|set|stream):[0-9]{3,}$")
CHANGES = {
    b"string": [("value", [("APPEND", None, "x")]), ("value", [("SETRANGE", None, 0, "\0\1\2")])],
    b"hash": [("value", [("HSET", None, "planted", 1)]), ("value", [("HDEL", None, "field0")])],
    b"zset": [("value", [("ZADD", None, "0.5", "planted")])],
    b"list": [("value", [("LPUSH", None, "planted")]), ("value", [("LSET", None, 0, "planted")])],
    b"set": [("value", [("SADD", None, "planted")]), ("value", [("SPOP", None)])],
    b"stream": [("value", [("XADD", None, "*", "planted", 1)]), ("value", [("XDEL", None, "2-1")]),
                ("value", [("XTRIM", None, "MAXLEN", 1)]), ("value", [("XACK", None, "group", "1-1")]),
                ("value", [("XGROUP", "CREATE", None, "planted", 0)]),
                ("value", [("XGROUP", "SETID", None, "group", "1-1")]),
                ("value", [("XCLAIM", None, "group", "two", 0, "2-1")])],
}
FIELD_EXPIRY = ("field-ttl", [("HPEXPIREAT", None, dataset.FAR_FUTURE, "FIELDS", 1, "field0")])
ANY = [("missing", [("DEL", None)]), ("type", [("DEL", None), ("XADD", None, "1-1", "f", "v")]),
       ("ttl", [("PEXPIREAT", None, dataset.FAR_FUTURE * 2)])]


def plant(destination, count, rng):
    """Changes keys of the destination; returns {key: cause}."""
    client, planted = destination.client(), {}
    if client("COMMAND", "INFO", "HPEXPIREAT") != [None]:
        CHANGES[b"hash"].append(FIELD_EXPIRY)
    streams = ["user:stream:%d" % (number + 100) for number in range(count // 10)]
    while len(planted) < count:
        # There are few streams, and much that can differ in them.
        key = streams.pop().encode() if streams and len(planted) % 10 == 5 else client("RANDOMKEY")
        name = key.decode()
        if name in planted or not DATASET_KEY.match(name):
            continue
        kind = client("TYPE", key)
        if len(planted) % 10 == 0:
            key, changes = key + b":extra", ("extra", [("SET", None, 1)])
        else:
            changes = rng.choice(CHANGES.get(kind, []) + ANY)
        if kind == b"stream" and changes[0] == "type":
            changes = ("type", [("DEL", None), ("SET", None, 1)])
        for words in changes[1]:
            client(*[key if word is None else word for word in words])
        planted[key.decode()] = changes[0]
    return planted


class Latency:
    """Another client of the source, in a process of its own."""

    def __init__(self, server):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(__file__), "latency.py"), str(server.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self):
        """Its figures, in milliseconds."""
        return json.loads(self.process.communicate()[0])


def drill(options):
    rng = random.Random(options.seed)
    server = os.path.abspath(SERVERS % options.server)
    with Server(server, "--repl-diskless-sync-delay", "0", parent=HOME) as source, \
            Server(server, parent=HOME) as destination:
        load(source, options.keys)
        application = Application(source, options.seed)
        job = follow(options.tool, source, destination)
        try:
            for number in range(options.runs):
                run(options.tool, "verify", source, destination, "--json", "--no-progress")
                say("run %d of %d: no false alarm" % (number + 1, options.runs))
            planted = plant(destination, options.planted, rng)
            lines = run(options.tool, "verify", source, destination, "--json", codes=(3,))
            found = {l["key"]: l["cause"] for l in lines if l["event"] == "difference"}
            if found != planted:
                raise Wrong("planted %s, found %s" % (
                    sorted(planted.items() - found.items())[:9], sorted(found.items() - planted.items())[:9]))
            say("%d planted differences: all found and rightly named" % len(planted))
            run(options.tool, "verify", source, destination, "--fix", "--yes")
            run(options.tool, "verify", source, destination)
            say("mended: none is left")
        finally:
            job.terminate()
            job.wait()
        subprocess.run([options.tool, "jobs", "-d", url(destination), "--forget",
                        job_name(options.tool, destination), "--yes"], check=True)
        remove(options, source, destination)
        application.stop()


def job_name(tool, destination):
    listed = subprocess.run([tool, "jobs", "-d", url(destination), "--log-format", "json"],
                            capture_output=True, check=True).stdout
    return json.loads(listed.splitlines()[0])["job"]


def remove(options, source, destination):
    """Removes half of the application's silent keys, is killed, and removes the rest."""
    rules = [word for prefix, _ in dataset.PREFIXES if prefix != dataset.SPLIT_PREFIX
             for word in ("-p", prefix.decode())]
    before = Latency(source)
    time.sleep(10)
    before = before.end()
    during = Latency(source)
    command = [options.tool, "delete", "-s", url(source), "-d", url(destination), "--yes", *rules]
    begin = time.monotonic()
    first = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = source.client()("DBSIZE")
    while first.poll() is None and source.client()("DBSIZE") > whole / 2:
        time.sleep(0.05)
    first.kill()
    first.wait()
    left = source.client()("DBSIZE")
    source.client()("SET", "session:after", "changed after the cutover")
    lines = run(options.tool, "delete", source, destination, *rules, "--yes", "--json", codes=(3,))
    seconds = time.monotonic() - begin
    during = during.end()
    kept = [l["key"] for l in lines if l["event"] == "kept"]
    removed = whole - source.client()("DBSIZE")
    summary = run(options.tool, "verify", source, destination, *rules, "--quick", "--json", codes=(3,))
    left_behind = sum(row["source_keys"] for row in summary if row["event"] == "count")
    if kept != ["session:after"] or left_behind != 1:
        raise Wrong("kept %s, %d keys are left" % (kept[:9], left_behind))
    say("removed %d keys in %.0f s, killed with %d left; what was changed after the cutover is kept" % (
        removed, seconds, left))
    print("\na GET at the source, beside an application: p50 %.2f and p99 %.2f ms before, %.2f and %.2f ms while keys"
          " are removed (p99 %.1f x)" % (
              before["p50"], before["p99"], during["p50"], during["p99"], during["p99"] / before["p99"]))
    if options.latency and during["p99"] > before["p99"] * options.latency:
        raise Wrong("that is more than %.1f x" % options.latency)


def main():
    parser = argparse.ArgumentParser(prog="scripts/verify-drill", description=__doc__.split("\n")[0])
    parser.add_argument("--keys", type=int, default=1_000_000, help="size of the dataset (1000000)")
    parser.add_argument("--runs", type=int, default=20, help="comparisons that must find nothing (20)")
    parser.add_argument("--planted", type=int, default=200, help="differences (200)")
    parser.add_argument("--seed", type=int, default=8, help="of the application and the planting (8)")
    parser.add_argument("--server", default="redis-7.0", help="of both sides, a folder of .servers (redis-7.0)")
    parser.add_argument("--latency", type=float, metavar="X",
                        help="fail when removing makes the p99 latency more than X times what it was (never)")
    parser.add_argument("--tool", default=".build/release/migr8sync", help="the program to use")
    options = parser.parse_args()
    exit_on_signals()
    os.makedirs(HOME, exist_ok=True)
    try:
        drill(options)
    except Wrong as wrong:
        say("scripts/verify-drill: FAILED (seed %d): %s" % (options.seed, wrong))
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("scripts/verify-drill: interrupted")
        sys.exit(130)
