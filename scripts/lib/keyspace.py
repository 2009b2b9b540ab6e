"""The keyspace of a server in a canonical form, to hold one server against another.

Values are read out, never compared by DUMP or digest: two servers may encode the same value in
different ways. Of streams everything counts that is replicated, groups and pending entries too.
"""

# Layout and clock readings of the server that is asked, and what 7.0 does not replicate.
NOT_DATA = {b"radix-tree-keys", b"radix-tree-nodes", b"lag", b"seen-time", b"active-time",
            b"recorded-first-entry-id", b"entries-read"}
# What 6.2 does not know of a stream.
SINCE_7 = {b"entries-added", b"max-deleted-entry-id"}
# A consumer with nothing pending, which came with a read of nothing: since 7.2 a source does not tell its
# replicas of one.
IDLE = b"(consumers with nothing pending)"
# Pending entries that were removed from their stream: a claim of one makes 6.2 keep it and 7.0 forget it, also
# as a replica of 6.2 (tried).
GONE = b"(pending entries that are gone)"
RESERVED = b"migr8sync:job:"
CHUNK = 1000


def _stream(reply, left_out):
    """XINFO STREAM FULL without what is not data."""
    if not isinstance(reply, list):
        return reply
    if reply and reply[0] in (b"length", b"name"):
        pairs = zip(reply[::2], reply[1::2])
        return [(name, _stream(value, left_out)) for name, value in pairs if name not in left_out]
    parts = [_stream(part, left_out) for part in reply]
    return [part for part in parts if IDLE not in left_out or not _is_idle(part)]


def _without_gone(reply, ids=None):
    """XINFO STREAM FULL without pending entries of which the stream has nothing."""
    if not isinstance(reply, list):
        return reply
    if reply and reply[0] in (b"length", b"name"):
        fields = dict(zip(reply[::2], reply[1::2]))
        if ids is None:
            ids = {entry[0] for entry in fields.get(b"entries", [])}
        if b"pending" in fields:
            fields[b"pending"] = [entry for entry in fields[b"pending"] if entry[0] in ids]
            fields[b"pel-count"] = len(fields[b"pending"])
        return [part for name, value in fields.items()
                for part in (name, value if name in (b"entries", b"pending") else _without_gone(value, ids))]
    return [_without_gone(part, ids) for part in reply]


def _is_idle(part):
    return isinstance(part, list) and (b"pel-count", 0) in part and (b"pending", []) in part \
        and not any(name == b"consumers" for name, _ in part)


def _read(kind, key):
    """The command that reads a value whole."""
    return {b"string": ("GET", key), b"list": ("LRANGE", key, 0, -1), b"set": ("SMEMBERS", key),
            b"hash": ("HGETALL", key), b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            b"stream": ("XINFO", "STREAM", key, "FULL", "COUNT", 0),
            b"vectorset": ("VRANDMEMBER", key, CHUNK * CHUNK)}[kind]


def _further(kind, key, value, has_field_expiry):
    """The commands that read what the first leaves out."""
    if kind == b"hash" and has_field_expiry:
        fields = value[::2]
        return [("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)]
    if kind == b"vectorset":
        return [(name, key, member) for member in sorted(value) for name in ("VEMB", "VGETATTR")]
    return []


def _canonical(kind, value, left_out):
    if kind in (b"set", b"vectorset"):
        return sorted(value)
    if kind == b"hash":
        return sorted(zip(value[::2], value[1::2]))
    if kind == b"zset":  # versions print a score in different ways
        return [(member, float(score)) for member, score in zip(value[::2], value[1::2])]
    if kind != b"stream":
        return value
    return _stream(_without_gone(value) if GONE in left_out else value, left_out)


def _expiries(client, names, has_expire_time):
    """When keys expire, in milliseconds of Unix time, or -1; about so before 7.0."""
    if has_expire_time:
        return client.pipeline([("PEXPIRETIME", name) for name in names])
    (seconds, micros), *left = client.pipeline([("TIME",)] + [("PTTL", name) for name in names])
    now = int(seconds) * 1000 + int(micros) // 1000
    return [now + time if time >= 0 else time for time in left]


def version(client):
    """(whether it is a Valkey, major, minor) of a server."""
    info = client.info("server")
    text = info.get("valkey_version") or info["redis_version"]
    return ("valkey_version" in info, *(int(part) for part in text.split(".")[:2]))


def read(client, prefixes=(b"",), digests=False, is_portable=False):
    """{(db, key): (type, value, expiry, …)} of every key with one of the prefixes. Nobody may write.

    With `digests` also what DEBUG DIGEST-VALUE says, which servers of different versions need not say
    alike; `is_portable` leaves out what only some versions know.
    """
    is_valkey, *number = version(client)
    has_field_expiry = number >= [7, 4] and not is_valkey
    left_out = NOT_DATA | (SINCE_7 if is_portable else set())
    left_out |= {IDLE} if is_portable or number > [7, 0] else set()
    left_out |= {GONE} if is_portable else set()
    keys = {}
    for field in client.info("keyspace"):
        if not field.startswith("db"):
            continue
        database = int(field[2:])
        client("SELECT", database)
        cursor = b"0"
        while True:
            cursor, names = client("SCAN", cursor, "COUNT", CHUNK)
            names = [n for n in names if n.startswith(tuple(prefixes)) and not n.startswith(RESERVED)]
            types = client.pipeline([("TYPE", name) for name in names])
            there = [(name, kind) for name, kind in zip(names, types) if kind != b"none"]
            values = client.pipeline([_read(kind, name) for name, kind in there])
            expiries = _expiries(client, [name for name, _ in there], number >= [7, 0])
            sums = client.pipeline(
                [("DEBUG", "DIGEST-VALUE", name) if digests else ("ECHO", "") for name, _ in there])
            for (name, kind), value, expiry, digest in zip(there, values, expiries, sums):
                more = client.pipeline(_further(kind, name, value, has_field_expiry))
                if kind == b"hash" and more:
                    more = sorted(pair for pair in zip(value[::2], more[0]) if pair[1] > 0)
                keys[database, name] = (
                    kind, _canonical(kind, value, left_out), expiry, more, digest)
            if cursor == b"0":
                break
    return keys


def differences(found, expected, most=20):
    """One line a difference; empty when both are the same."""
    lines = []
    for name in sorted(found.keys() | expected.keys()):
        ours, theirs = found.get(name), expected.get(name)
        if ours == theirs:
            continue
        lines.append("db %d %r: destination %s, source %s" % (
            name[0], name[1], _excerpt(ours, theirs), _excerpt(theirs, ours)))
    return lines[:most] + (["... and %d more" % (len(lines) - most)] if len(lines) > most else [])


def _excerpt(state, other):
    """A state's description from shortly before the place where it parts from the other's."""
    if state is None:
        return "nothing"
    text, against = repr(state), repr(other)
    start = next((i for i, (a, b) in enumerate(zip(text, against)) if a != b), 0)
    start = max(0, start - 40) if other is not None else 0
    return "%s[%d]%s" % ("..." if start else "", len(text), text[start:start + 160])
