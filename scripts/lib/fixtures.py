"""Writes Tests/Fixtures/rdb/TYPE_ENCODING_vN.rdb with real servers; started by scripts/fixtures.

N is the RDB version the server writes: 9 Redis 6.2, 10 Redis 7.0, 11 Valkey 8.1, 12 Redis 8.2.
The JSON beside each file is a list of keys in the form of DESCRIPTION below, as the server tells it.

DESCRIPTION: {db, key, type, encoding, expire_at_ms, value, digest}; hashes with field expiries have
field_expire_at_ms; streams have what XINFO STREAM FULL says. Bytes that are not plain text are
{"base64": ...}. digest is DEBUG DIGEST-VALUE.
"""

import base64
import json
import os
import random
import sys
import time

from resp import ReplyError, Server

FOLDER = "Tests/Fixtures/rdb"
SERVERS = [
    (9, ".servers/redis-6.2/redis-server"),
    (10, ".servers/redis-7.0/redis-server"),
    (11, ".servers/valkey-8.1/valkey-server"),
    (12, ".servers/redis-8.2/redis-server"),
]
EXPIRY = 4_000_000_000_000


def noise(seed, size):
    return random.Random(seed).randbytes(size)


# Each case: name, configuration, commands. A case whose commands a server does not know is left out.

def strings(_):
    yield "string_int", {}, [
        ("SET", "int:%d" % value, value)
        for value in (0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2147483647,
                      2147483648, -2147483648, -2147483649, 9223372036854775807)]
    yield "string_raw", {}, [
        ("SET", "empty", ""), ("SET", "", "empty key"), ("SET", noise(1, 20), noise(2, 40)),
        ("SET", "not:int", "+1"), ("SET", "zero", "007"), ("SET", "minus", "-0"),
    ] + [("SET", "len:%d" % size, noise(size, size)) for size in
         (1, 20, 21, 44, 45, 63, 64, 16383, 16384)]
    yield "string_lzf", {}, [
        ("SET", "a:%d" % size, "a" * size) for size in (20, 21, 64, 300, 8192, 20000)
    ] + [("SET", "mix:%d" % size, (noise(size, 50) + b"text " * 20) * size) for size in (1, 9)] + [
        ("SET", "k" * 100, "compressed key")]
    yield "string_expiry", {}, [
        ("SET", "plain", "v"), ("SET", "px", "v", "PXAT" if _ > 9 else "PX", EXPIRY if _ > 9 else 10 ** 9),
        ("SET", "db0", "v"), ("SELECT", 5), ("SET", "db5", "v"), ("SELECT", 0)]
    yield "string_lfu", {"maxmemory-policy": "allkeys-lfu"}, [
        ("SET", "k:%d" % n, n) for n in range(5)]
    yield "string_lru", {"maxmemory-policy": "allkeys-lru"}, [
        ("SET", "k:%d" % n, n) for n in range(5)]


def lists(version):
    items = ["", "x", "12", "-5000", "x" * 63, "x" * 64, "9223372036854775807", noise(3, 30)]
    items += ["item:%d" % n for n in range(30)]
    name = "listpack" if version > 9 else "ziplist"
    yield "list_" + name, {"list-compress-depth": 0}, [
        ("RPUSH", "edge", *items), ("RPUSH", "one", "x"),
        ("RPUSH", "integers", *[(-1) ** n * 2 ** n for n in range(63)])]
    # Where the forms of integers and lengths inside a packed value change, and those of its back lengths.
    borders = [sign * 2 ** bits + more for bits in (3, 6, 7, 12, 15, 23, 31) for sign in (1, -1)
               for more in (-1, 0, 1)] + [12, 13, 2 ** 63 - 1, -2 ** 63]
    yield "list_threshold", {"list-max-" + name + "-size": -2}, [
        ("RPUSH", "integers", *borders),
        ("RPUSH", "lengths", *[noise(size, size) for size in (62, 63, 64, 65, 125, 126, 127, 128, 129,
                                                              250, 251, 252, 253, 254, 255, 256, 257)]),
        ("RPUSH", "long", noise(14, 4094)), ("RPUSH", "long", noise(15, 4095)),
        ("RPUSH", "long", noise(16, 4096)), ("RPUSH", "long", noise(17, 4097))] + [
        # A node holds 8 KB.
        ("RPUSH", "node:%d" % size, *["%04d" % n + "x" * 60 for n in range(size)])
        for size in (122, 123, 127, 128)] + [
        ("RPUSH", "element:%d" % size, "a", noise(size, size), "b")
        for size in (8191, 8192, 8193)] + [
        ("RPUSH", "wide", "x" * 16383), ("RPUSH", "wide", "x" * 16384)]
    yield "list_many_nodes", {"list-max-" + name + "-size": 4}, [
        ("RPUSH", "list", *["value %d" % n for n in range(50)])]
    yield "list_plain", {"list-max-" + name + "-size": -1}, [
        ("RPUSH", "list", "small", noise(4, 5000), "x" * 9000, "small"),
        ("RPUSH", "large", noise(5, 70000))]
    yield "list_compressed", {"list-compress-depth": 1, "list-max-" + name + "-size": 8}, [
        ("RPUSH", "list", *["the same text again and again %d" % n for n in range(60)])]


def sets(version):
    yield "set_intset", {}, [
        ("SADD", "int16", *range(-5, 300)), ("SADD", "int32", 1, 70000, -70000),
        ("SADD", "int64", 1, 2 ** 62, -2 ** 62), ("SADD", "one", 0),
        ("SADD", "widths16", -2 ** 15, 2 ** 15 - 1), ("SADD", "widths32", -2 ** 15 - 1, 2 ** 15),
        ("SADD", "widest32", -2 ** 31, 2 ** 31 - 1), ("SADD", "widths64", -2 ** 31 - 1, 2 ** 31),
        ("SADD", "widest64", -2 ** 63, 2 ** 63 - 1)]
    yield "set_threshold", {}, [
        ("SADD", "ints:%d" % size, *range(size)) for size in (511, 512, 513)] + [
        ("SADD", "words:%d" % size, *["m%d" % n for n in range(size)]) for size in (127, 128, 129)] + [
        ("SADD", "length:%d" % size, "x" * size) for size in (63, 64, 65)] + [
        ("SADD", "mixed", *range(20), "x")]
    yield "set_hashtable", {"set-max-intset-entries": 4}, [
        ("SADD", "ints", *range(200)), ("SADD", "words", *["word:%d" % n for n in range(200)]),
        ("SADD", "binary", "", *[noise(n, n) for n in range(1, 100)])]
    if version > 10:
        yield "set_listpack", {}, [
            ("SADD", "words", "", "a", "12", "-7", "x" * 64, noise(6, 20)),
            ("SADD", "full", *["m%d" % n for n in range(128)]),
            ("SADD", "over", *["m%d" % n for n in range(129)])]


def sorted_sets(version):
    name = "listpack" if version > 9 else "ziplist"
    scores = ["1", "-1", "1.5", "0.1", "-0", "inf", "-inf", "1e20", "5e-324",
              "1.7976931348623157e308", "3.141592653589793", "9007199254740993", "100"]
    small = [word for n, score in enumerate(scores) for word in (score, "m%d" % n)]
    yield "zset_" + name, {}, [
        ("ZADD", "scores", *small), ("ZADD", "one", 0, ""),
        ("ZADD", "full", *[w for n in range(128) for w in (n / 3, "m%d" % n)])]
    yield "zset_threshold", {}, [
        ("ZADD", "count:%d" % size, *[w for n in range(size) for w in (n / 3, "m%d" % n)])
        for size in (127, 128, 129)] + [
        ("ZADD", "length:%d" % size, 1, "x" * size) for size in (63, 64, 65)]
    yield "zset_skiplist", {"zset-max-%s-entries" % name: 4}, [
        ("ZADD", "scores", *small), ("ZADD", "binary", 1, noise(7, 100), 2, ""),
        ("ZADD", "many", *[w for n in range(300) for w in (n / 7, "m%d" % n)]),
        ("GEOADD", "geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania",
         2.3, 48.8, "Paris", -0.1, 51.5, "London", 13.4, 52.5, "Berlin")]


def hashes(version):
    name = "listpack" if version > 9 else "ziplist"
    yield "hash_" + name, {}, [
        ("HSET", "small", "f", "v"), ("HSET", "ints", "1", "2", "-3", "70000", "x", 2 ** 62),
        ("HSET", "edge", "", "", "f", "x" * 64, noise(8, 9), noise(9, 64)),
        ("HSET", "full", *[w for n in range(100) for w in ("f%d" % n, "v%d" % n)])]
    yield "hash_hashtable", {"hash-max-%s-entries" % name: 4}, [
        ("HSET", "many", *[w for n in range(300) for w in ("f%d" % n, "v%d" % n)]),
        ("HSET", "long", "f", "x" * 70, "g", noise(10, 200), "", "", "h", "a" * 300, "n", 12345)]
    yield "hash_threshold", {}, [
        ("HSET", "count:%d" % size, *[w for n in range(size) for w in ("f%d" % n, "v%d" % n)])
        for size in (127, 128, 129, 511, 512, 513)] + [
        ("HSET", "length:%d:%d" % sizes, "x" * sizes[0], "y" * sizes[1])
        for sizes in ((63, 64), (64, 64), (65, 1), (1, 65))]
    if version == 12:
        yield "hash_threshold_ttl", {}, [
            command for size in (511, 512, 513) for command in (
                ("HSET", "count:%d" % size, *[w for n in range(size) for w in ("f%d" % n, n)]),
                ("HPEXPIREAT", "count:%d" % size, EXPIRY, "FIELDS", 2, "f1", "f%d" % (size - 1)))]
        expire = [("HPEXPIREAT", "mixed", EXPIRY + n, "FIELDS", 1, "f%d" % n) for n in range(0, 9, 2)]
        yield "hash_listpack_ttl", {}, [
            ("HSET", "mixed", *[w for n in range(9) for w in ("f%d" % n, "v%d" % n)]), *expire,
            ("HSET", "one", "f", "v"), ("HPEXPIREAT", "one", EXPIRY, "FIELDS", 1, "f")]
        yield "hash_hashtable_ttl", {"hash-max-listpack-entries": 4}, [
            ("HSET", "mixed", *[w for n in range(50) for w in ("f%d" % n, "v%d" % n)]), *expire]


def streams(_):
    add = [("XADD", "many", "%d-%d" % (1700000000000 + n * 3, n % 4), "name", "value %d" % n, "n", n)
           for n in range(250)]
    yield "stream_entries", {}, add + [
        ("XADD", "mixed", "%d-1" % n, *[w for f in range(n % 4 + 1) for w in ("f%d" % f, n * f)])
        for n in range(1, 40)] + [
        ("XDEL", "mixed", "1-1", "7-1", "39-1"), ("XTRIM", "many", "MAXLEN", 200),
        ("XADD", "binary", "5-5", noise(11, 20), noise(12, 300))]
    yield "stream_empty", {}, [
        ("XGROUP", "CREATE", "never", "g", "$", "MKSTREAM"), ("XADD", "gone", "5-5", "f", "v"),
        ("XDEL", "gone", "5-5"), ("XADD", "trimmed", "9-0", "f", "v"), ("XTRIM", "trimmed", "MAXLEN", 0)]
    yield "stream_groups", {}, [
        ("XADD", "s", "%d-0" % n, "f", n) for n in range(1, 41)] + [
        ("XGROUP", "CREATE", "s", "first", "0"), ("XGROUP", "CREATE", "s", "second", "20-0"),
        ("XGROUP", "CREATE", "s", "idle", "$"),
        ("XREADGROUP", "GROUP", "first", "alice", "COUNT", 10, "STREAMS", "s", ">"),
        ("XREADGROUP", "GROUP", "first", "bob", "COUNT", 5, "STREAMS", "s", ">"),
        ("XREADGROUP", "GROUP", "second", noise(13, 10), "STREAMS", "s", ">"),
        ("XACK", "s", "first", "2-0", "11-0"), ("XGROUP", "CREATECONSUMER", "s", "first", "carol"),
        ("XCLAIM", "s", "first", "bob", 0, "3-0", "4-0", "TIME", 1600000000000, "RETRYCOUNT", 7)]


    yield "stream_pending_deleted", {}, [
        (("XADD", key, "%d-%d" % (n, n), "f", n)) for key in ("both", "deleted", "trimmed", "nothing")
        for n in range(1, 13)] + [
        command for key in ("both", "deleted", "trimmed", "nothing") for command in (
            ("XGROUP", "CREATE", key, "g", "0"), ("XGROUP", "CREATE", key, "h", "4-4"),
            ("XREADGROUP", "GROUP", "g", "one", "COUNT", 7, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", "g", "two", "COUNT", 5, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", "h", "one", "STREAMS", key, ">"))] + [
        ("XDEL", "both", "6-6", "7-7", "12-12"), ("XTRIM", "both", "MAXLEN", 7),
        ("XDEL", "deleted", "1-1", "5-5", "12-12"), ("XTRIM", "trimmed", "MAXLEN", 9),
        ("XDEL", "nothing", "3-3"), ("XTRIM", "nothing", "MAXLEN", 0)]
    yield "stream_threshold", {}, [
        ("XADD", "count:%d" % size, "%d-0" % n, "f", n) for size in (99, 100, 101)
        for n in range(1, size + 1)] + [
        ("XADD", "bytes:%d" % size, "%d-0" % n, "f", noise(n, size)) for size in (4000, 4096, 5000)
        for n in range(1, 4)] + [
        ("XADD", "fields:%d" % size, "%d-0" % n, *["f%d" % f for f in range(2 * size)])
        for size in (1, 63, 64, 65) for n in (1, 2)]


def others(version):
    if version > 9:
        code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
        yield "string_functions", {}, [("FUNCTION", "LOAD", code), ("SET", "key", "value")]
    if version > 10:
        yield "string_slots", {"cluster": True}, [("SET", "{%d}" % n, n) for n in range(6)]


CASES = [others, strings, lists, sets, sorted_sets, hashes, streams]


def plain(data):
    """JSON's form of bytes."""
    if data is None:
        return None
    if isinstance(data, (int, float)):
        return str(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    return text if text.isprintable() else {"base64": base64.b64encode(data).decode()}


def pairs(flat):
    return [[plain(flat[n]), plain(flat[n + 1])] for n in range(0, len(flat), 2)]


def fields(reply):
    """A flat reply of names and values as dictionary."""
    return {reply[n].decode(): reply[n + 1] for n in range(0, len(reply), 2)}


def describe_stream(client, key):
    info = fields(client("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    item = {"value": [[plain(entry[0]), [plain(w) for w in entry[1]]] for entry in
                      client("XRANGE", key, "-", "+")],
            "last_id": plain(info["last-generated-id"]), "groups": []}
    for name, label in (("entries-added", "entries_added"),
                        ("max-deleted-entry-id", "max_deleted_entry_id"),
                        ("recorded-first-entry-id", "recorded_first_entry_id")):
        if name in info:
            value = info[name]
            item[label] = value if isinstance(value, int) else plain(value)
    for raw in info["groups"]:
        group = fields(raw)
        pending = group["pel"] if "pel" in group else group["pending"]  # 6.2 calls it so
        item["groups"].append({
            "name": plain(group["name"]), "last_id": plain(group["last-delivered-id"]),
            "entries_read": group.get("entries-read"),
            "pending": [[plain(p[0]), plain(p[1]), p[3]] for p in pending],
            "delivered_at_ms": [[plain(p[0]), p[2]] for p in pending],
            "consumers": [plain(fields(c)["name"]) for c in group["consumers"]]})
    return item


def describe(client, database, key, version):
    kind = client("TYPE", key).decode()
    item = {"db": database, "key": plain(key), "type": kind,
            "encoding": client("OBJECT", "ENCODING", key).decode(),
            "digest": client("DEBUG", "DIGEST-VALUE", key)[0].decode()}
    if version > 9:
        expiry = client("PEXPIRETIME", key)
        item["expire_at_ms"] = None if expiry < 0 else expiry
    else:
        item["pttl"] = None if client("PTTL", key) < 0 else "some"
    if kind == "string":
        item["value"] = plain(client("GET", key))
    elif kind == "list":
        item["value"] = [plain(v) for v in client("LRANGE", key, 0, -1)]
    elif kind == "set":
        item["value"] = [plain(v) for v in client("SMEMBERS", key)]
    elif kind == "zset":
        item["value"] = pairs(client("ZRANGE", key, 0, -1, "WITHSCORES"))
    elif kind == "hash":
        flat = client("HGETALL", key)
        item["value"] = pairs(flat)
        if version == 12:
            names = flat[::2]
            times = client("HPEXPIRETIME", key, "FIELDS", len(names), *names)
            item["field_expire_at_ms"] = [
                [plain(name), time] for name, time in zip(names, times) if time >= 0]
    elif kind == "stream":
        item.update(describe_stream(client, key))
    return item


def make(version, program, name, configuration, commands):
    options = [] if version == 9 else ["--enable-debug-command", "local"]
    if "cluster" in configuration:
        options += ["--cluster-enabled", "yes"]
    with Server(os.path.abspath(program), *options) as server:
        client = server.client()
        if "cluster" in configuration:
            client("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in client("CLUSTER", "INFO"):
                time.sleep(0.02)
        for setting, value in configuration.items():
            if setting == "cluster":
                continue
            client("CONFIG", "SET", setting, value)
        for command in commands:
            client(*command)
        items = []
        for database in range(1 if "cluster" in configuration else 16):
            if database > 0:
                client("SELECT", database)
            for key in sorted(client("KEYS", "*")):
                items.append(describe(client, database, key, version))
        client("SAVE")
        target = "%s/%s_v%d" % (FOLDER, name, version)
        with open(server.folder + "/dump.rdb", "rb") as made, open(target + ".rdb", "wb") as kept:
            kept.write(made.read())
        with open(target + ".json", "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n")
        client.close()


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    os.makedirs(FOLDER, exist_ok=True)
    count = 0
    for version, program in SERVERS:
        for cases in CASES:
            for name, configuration, commands in cases(version):
                if wanted not in name:
                    continue
                try:
                    make(version, program, name, configuration, commands)
                except ReplyError as error:
                    sys.exit("%s with %s: %s" % (name, program, error))
                count += 1
    print("%d files in %s" % (count, FOLDER))


main()
