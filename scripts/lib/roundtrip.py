"""Round trips through extract at size, judged by the servers' own DEBUG DIGEST; started by scripts/roundtrip.

For each server: it makes the keys and saves them; extract divides its file by a rule, and
  rdb    both parts are loaded by a server of its kind
  resp   both parts are sent through redis-cli --pipe
  dest   both parts are written to a server by extract --dest
  jsonl  one part is taken apart by Python's json and written by plain commands
What is right is told by the server's digest of all its keys: a digest of a db is the XOR of one for each key
(below `outside`), so those of the parts must come to it, and those of one part must all be the same.

Then every RDB file of the project, and of ../shared/fixtures, through extract into every server that loads it.
"""

import argparse
import base64
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import dataset
from resp import Server, encode, exit_on_signals

HOME = ".bench"
CLIENT = ".servers/redis-7.0/redis-cli"
KINDS = {"redis-6.2": "redis-server", "redis-7.0": "redis-server",
         "valkey-8.1": "valkey-server", "redis-8.2": "redis-server"}
INSIDE = ("-p", "bump:")
OUTSIDE = ("--exclude-prefix", "bump:")
STREAMS_PER_THOUSAND = 10
# Keys without elements: a server drops them when it loads a file, and refuses to RESTORE them.
NOT_RESTORED = ["corrupt_empty_keys.rdb"]


def say(text):
    print(text, file=sys.stderr, flush=True)


class Wrong(Exception):
    """A part that is not what the server says."""


def start(kind, file=None):
    """A server; with a file that it has loaded."""
    options = [] if kind == "redis-6.2" else ["--enable-debug-command", "yes"]
    if file:
        folder, name = os.path.split(os.path.abspath(file))
        options += ["--dir", folder, "--dbfilename", name]
    return Server(os.path.abspath(".servers/%s/%s" % (kind, KINDS[kind])), *options, parent=HOME)


def facts(server):
    client = server.client()
    return client("DBSIZE"), client("DEBUG", "DIGEST").decode()


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong("%s: %s, expected %s" % (what, got, wanted))


def combined(one, other):
    """The digest of db 0 from those of two halves of its keys. A server's digest begins with the hash of the
    db's number, which both halves have."""
    start_value = hashlib.sha1(hashlib.sha1(bytes(4)).digest()).hexdigest()
    value = int(one, 16) ^ int(other, 16) ^ int(start_value, 16)
    return "%040x" % value


def extract(tool, *words):
    done = subprocess.run([tool, "extract", *words], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        raise Wrong("extract %s: exit code %d: %s" % (
            " ".join(words), done.returncode, done.stderr.decode(errors="replace")))


def streams(count):
    """Some streams with groups, which the benchmark's dataset has none of."""
    for number in range(count):
        key = b"%s%d" % (b"bump:stream:" if number % 10 == 0 else b"log:stream:", number)
        for entry in range(1, number % 12 + 2):
            yield encode(b"XADD", key, b"%d-%d" % (entry, number), b"field", b"v%d" % entry, b"n", number)
        yield encode(b"XGROUP", b"CREATE", key, b"group", b"0")
        yield encode(b"XREADGROUP", b"GROUP", b"group", b"one", b"COUNT", b"3", b"STREAMS", key, b">")


def write_commands(count, path):
    with open(path, "wb") as file:
        pending, size = [], 0
        for source in (dataset.commands(count), streams(count * STREAMS_PER_THOUSAND // 1000)):
            for command in source:
                pending.append(command)
                size += len(command)
                if size >= dataset.CHUNK_BYTES:
                    file.write(b"".join(pending))
                    pending, size = [], 0
        file.write(b"".join(pending))


def text(value):
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def commands_of(line):
    """The commands that make the key of a line of jsonl."""
    entry = json.loads(line)
    key, kind, value = text(entry["key"]), entry["type"], entry["value"]
    if kind == "string":
        yield encode(b"SET", key, text(value))
    elif kind == "list":
        yield encode(b"RPUSH", key, *map(text, value))
    elif kind == "set":
        yield encode(b"SADD", key, *map(text, value))
    elif kind == "zset":
        yield encode(b"ZADD", key, *(w for m, s in value for w in (s, text(m))))
    elif kind == "hash":
        yield encode(b"HSET", key, *(text(w) for pair in value for w in pair))
    elif kind == "stream":
        for number, fields in value["entries"]:
            yield encode(b"XADD", key, number, *map(text, fields))
    else:
        raise Wrong("a line with the type %s" % kind)
    if entry["expire_at_ms"] is not None:
        yield encode(b"PEXPIREAT", key, entry["expire_at_ms"])


def check_part(tool, kind, folder, file, rule):
    """Takes one part through every form; its number of keys and digest."""
    out = folder + "/out.rdb"
    extract(tool, file, *rule, "-o", out)
    with start(kind, out) as server:
        wanted = facts(server)
    os.unlink(out)
    extract(tool, file, *rule, "--format", "resp", "-o", folder + "/out.resp")
    with start(kind) as server:
        dataset.pipe(CLIENT, server.port, dataset.file_chunks(folder + "/out.resp"))
        expect("%s %s as resp" % (kind, rule), facts(server), wanted)
    os.unlink(folder + "/out.resp")
    with start(kind) as server:
        extract(tool, file, *rule, "-q", "--dest", "redis://127.0.0.1:%d" % server.port)
        expect("%s %s into a server" % (kind, rule), facts(server), wanted)
    return wanted


def check_json(tool, kind, folder, file, rule, wanted):
    path = folder + "/out.jsonl"
    extract(tool, file, *rule, "--format", "jsonl", "-o", path)
    with start(kind) as server, open(path, "rb") as lines:
        dataset.pipe(CLIENT, server.port, (c for line in lines for c in commands_of(line)))
        expect("%s %s as jsonl" % (kind, rule), facts(server), wanted)
    os.unlink(path)


def check_kind(tool, kind, folder, commands):
    begin = time.monotonic()
    with start(kind) as server:
        dataset.pipe(CLIENT, server.port, dataset.file_chunks(commands))
        keys, digest = facts(server)
        server.client()("SAVE")
        file = shutil.move(server.folder + "/dump.rdb", folder + "/dump.rdb")
    size = os.path.getsize(file)
    inside = check_part(tool, kind, folder, file, INSIDE)
    outside = check_part(tool, kind, folder, file, OUTSIDE)
    check_json(tool, kind, folder, file, INSIDE, inside)
    expect("%s: keys of both parts" % kind, inside[0] + outside[0], keys)
    expect("%s: digests of both parts" % kind, combined(inside[1], outside[1]), digest)
    os.unlink(file)
    say("%-10s %d keys, %.0f MB, divided into %d and %d: rdb, resp, --dest and jsonl come back whole (%.0f s)" % (
        kind, keys, size / 1e6, inside[0], outside[0], time.monotonic() - begin))


def check_corpus(tool, folder):
    files = sorted(glob.glob("Tests/Fixtures/rdb/*.rdb") + glob.glob("../shared/fixtures/rdb/*.rdb"))
    trips, refused = 0, 0
    out = folder + "/out"
    for kind in KINDS:
        for file in files:
            shutil.copy(file, folder + "/in.rdb")
            try:
                server = start(kind, folder + "/in.rdb")
            except RuntimeError:
                refused += 1  # too new for it, or damaged
                continue
            with server:
                wanted = facts(server)
            extract(tool, file, "-o", out)
            with start(kind, out) as server:
                expect("%s in %s as rdb" % (file, kind), facts(server), wanted)
                if os.path.basename(file) not in NOT_RESTORED:
                    server.client()("FLUSHALL")
                    # As commands a score of -0 becomes 0: servers since 7.0 do that to any.
                    extract(tool, file, "--format", "resp", "--restore", "-o", out)
                    dataset.pipe(CLIENT, server.port, dataset.file_chunks(out))
                    expect("%s in %s as resp" % (file, kind), facts(server), wanted)
            os.unlink(out)
            trips += 1
    say("%d files of the project and of ../shared/fixtures, %d trips; %d times a server would not load one itself" % (
        len(files), trips, refused))


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/roundtrip", description="Divides files of mixed keys with extract, brings the parts "
        "back as rdb, resp, --dest and jsonl into every server, and compares by their DEBUG DIGEST. Then every "
        "RDB file of the project.")
    parser.add_argument("--keys", type=int, default=1_000_000, help="size of the dataset (1000000)")
    parser.add_argument("--tool", default=".build/release/migr8sync", help="the program to test")
    parser.add_argument("--server", choices=list(KINDS), help="only this one, and no single files")
    options = parser.parse_args()
    exit_on_signals()
    folder = os.path.abspath("%s/roundtrip-%d" % (HOME, os.getpid()))
    os.makedirs(folder)
    begin = time.monotonic()
    try:
        write_commands(options.keys, folder + "/commands.resp")
        for kind in [options.server] if options.server else KINDS:
            check_kind(options.tool, kind, folder, folder + "/commands.resp")
        if not options.server:
            check_corpus(options.tool, folder)
    except (Wrong, RuntimeError) as wrong:
        say("scripts/roundtrip: FAILED: %s" % wrong)
        sys.exit(1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("roundtrip: all of it came back, in %.0f s" % (time.monotonic() - begin))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("scripts/roundtrip: interrupted")
        sys.exit(130)
