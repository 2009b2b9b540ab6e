"""The keyspace of a server in a canonical form, to hold one server against another.

Values are read out, never compared by DUMP or digest: two servers may encode the same value in
different ways. Of streams everything counts that is replicated, groups and pending entries too.
"""

# Layout and clock readings of the server that is asked, and what 7.0 does not replicate.
NOT_DATA = {b"radix-tree-keys", b"radix-tree-nodes", b"lag", b"seen-time", b"active-time",
            b"recorded-first-entry-id", b"entries-read"}
RESERVED = b"migr8sync:job:"
CHUNK = 1000


def _stream(reply):
    """XINFO STREAM FULL without what is not data."""
    if not isinstance(reply, list):
        return reply
    if reply and reply[0] in (b"length", b"name"):
        pairs = zip(reply[::2], reply[1::2])
        return [(name, _stream(value)) for name, value in pairs if name not in NOT_DATA]
    return [_stream(part) for part in reply]


def _read(kind, key):
    """The command that reads a value whole."""
    return {b"string": ("GET", key), b"list": ("LRANGE", key, 0, -1), b"set": ("SMEMBERS", key),
            b"hash": ("HGETALL", key), b"zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
            b"stream": ("XINFO", "STREAM", key, "FULL", "COUNT", 0)}[kind]


def _canonical(kind, value):
    if kind == b"set":
        return sorted(value)
    if kind == b"hash":
        return sorted(zip(value[::2], value[1::2]))
    return _stream(value) if kind == b"stream" else value


def read(client, prefixes=(b"",)):
    """{(db, key): (type, value, expiry)} of every key with one of the prefixes. Nobody may write."""
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
            expiries = client.pipeline([("PEXPIRETIME", name) for name, _ in there])
            for (name, kind), value, expiry in zip(there, values, expiries):
                keys[database, name] = (kind, _canonical(kind, value), expiry)
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
