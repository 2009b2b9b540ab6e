"""The benchmark's dataset: the same keys for the same seed and count, made once and kept.

60% strings of 20-200 random bytes (a third of them with a time to live, far in the future so that
the kept file does not age), the rest small hashes, sorted sets, lists and sets. One key in ten is
under bump:. A folder of the dataset holds
  dump.rdb      the whole, as a server wrote it
  restore.resp  the same as ready-made RESTORE commands, from DUMP
  bump.resp     those under bump: only
  facts.json    counts and digests, as a server that holds them tells them
"""

import json
import os
import random
import shutil
import subprocess

from resp import Server, encode

SEED = 8
FAR_FUTURE = 4_102_444_800_000  # 2100-01-01, in milliseconds
SPLIT_PREFIX = b"bump:"
PREFIXES = [(b"bump:", 10), (b"sidekiq:", 20), (b"session:", 25), (b"cache:", 30), (b"user:", 15)]
TYPES = [("string", 60), ("hash", 15), ("zset", 10), ("list", 8), ("set", 7)]
CHUNK_BYTES = 1 << 20


def commands(count, seed=SEED):
    """Yields the wire form of the commands that make the dataset, one command a key."""
    rng = random.Random(seed)
    prefixes = rng.choices([p for p, _ in PREFIXES], [w for _, w in PREFIXES], k=count)
    types = rng.choices([t for t, _ in TYPES], [w for _, w in TYPES], k=count)
    randbytes, randrange = rng.randbytes, rng.randrange
    for number in range(count):
        key = b"%s%s:%d" % (prefixes[number], types[number].encode(), number)
        kind = types[number]
        if kind == "string":
            value = randbytes(randrange(20, 201))
            if randrange(3) == 0:
                yield encode(b"SET", key, value, b"PXAT", b"%d" % (FAR_FUTURE + randrange(10**9)))
            else:
                yield encode(b"SET", key, value)
            continue
        words = []
        if kind == "hash":
            for field in range(randrange(3, 11)):
                words += (b"field%d" % field, randbytes(randrange(4, 33)).hex().encode())
            yield encode(b"HSET", key, *words)
        elif kind == "zset":
            for _ in range(randrange(5, 21)):
                words += (b"%d" % randrange(10**6), b"member:%d" % randrange(10**9))
            yield encode(b"ZADD", key, *words)
        elif kind == "list":
            words = [randbytes(randrange(5, 41)) for _ in range(randrange(3, 16))]
            yield encode(b"RPUSH", key, *words)
        elif randrange(2) == 0:
            words = [b"%d" % randrange(10**7) for _ in range(randrange(3, 16))]
            yield encode(b"SADD", key, *words)
        else:
            words = [b"item:%d" % randrange(10**7) for _ in range(randrange(3, 16))]
            yield encode(b"SADD", key, *words)


def pipe(client_program, port, chunks):
    """Feeds wire-form commands to `redis-cli --pipe`; raises when one of them failed."""
    feed = subprocess.Popen([client_program, "-p", str(port), "--pipe"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    pending, size = [], 0
    for chunk in chunks:
        pending.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            feed.stdin.write(b"".join(pending))
            pending, size = [], 0
    output, _ = feed.communicate(b"".join(pending))
    if feed.returncode != 0 or b"errors: 0" not in output:
        raise RuntimeError("redis-cli --pipe: " + output.decode(errors="replace")[-300:])


def file_chunks(path):
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def facts(client):
    """What a server says about its data: the basis of every comparison."""
    space = client.info("keyspace").get("db0", "keys=0,expires=0")
    numbers = dict(part.split("=") for part in space.split(","))
    return {"keys": int(numbers["keys"]), "expires": int(numbers["expires"]),
            "digest": client("DEBUG", "DIGEST").decode()}


def write_restores(client, folder):
    """Writes every key of the server as a RESTORE command; bump: ones also on their own."""
    with open(folder + "/restore.resp", "wb") as whole, open(folder + "/bump.resp", "wb") as split:
        cursor = b"0"
        while True:
            cursor, keys = client("SCAN", cursor, "COUNT", "2000")
            dumps = client.pipeline([("DUMP", key) for key in keys])
            expiries = client.pipeline([("PEXPIRETIME", key) for key in keys])
            for key, payload, expiry in zip(keys, dumps, expiries):
                command = encode(b"RESTORE", key, b"%d" % max(expiry, 0), payload, b"ABSTTL")
                whole.write(command)
                if key.startswith(SPLIT_PREFIX):
                    split.write(command)
            if cursor == b"0":
                return


def prepare(count, server_program, client_program, home, say):
    """The folder of the dataset of that many keys, and its facts; made where it is missing."""
    folder = "%s/keys-%d-seed-%d" % (home, count, SEED)
    if not os.path.exists(folder + "/facts.json"):
        say("making the dataset of %d keys (once; kept in %s) ..." % (count, folder))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        known = {}
        with Server(server_program, "--enable-debug-command", "local", parent=home) as server:
            pipe(client_program, server.port, commands(count))
            client = server.client()
            known["full"] = facts(client)
            client("SAVE")
            shutil.move(server.folder + "/dump.rdb", folder + "/dump.rdb")
            write_restores(client, folder)
        with Server(server_program, "--enable-debug-command", "local", parent=home) as server:
            pipe(client_program, server.port, file_chunks(folder + "/bump.resp"))
            known["split"] = facts(server.client())
        with open(folder + "/facts.json", "w") as file:
            json.dump(known, file)
    with open(folder + "/facts.json") as file:
        return folder, json.load(file)
