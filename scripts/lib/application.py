"""An application that keeps writing to a source while things go wrong around it.

Every write to a counter is counted here too, so that one that is lost or done twice shows even
without another server to compare with. A write that is not answered ends the application, and the run.
"""

import random
import threading
import time

INSIDE, OUTSIDE = "bump:", "other:"
DATABASES = (0, 3)
NAMES = 25
COUNTERS = 10
SCRIPT = ("redis.call('INCR', KEYS[1]) redis.call('APPEND', KEYS[2], ARGV[1]) "
          "redis.call('SADD', KEYS[3], ARGV[1]) return redis.call('SPOP', KEYS[3])")


class Application(threading.Thread):
    """Writes to a server until told to stop."""

    def __init__(self, server, seed, pause=0.003, batch=12):
        super().__init__(daemon=True)
        self.server, self.random = server, random.Random(seed)
        self.pause, self.batch = pause, batch
        self.stopping = threading.Event()
        self.counts = {}
        self.commands = 0
        self.failure = None
        self.sequence = 0
        self.start()

    def run(self):
        try:
            client = self.server.client()
            self._prepare(client)
            while not self.stopping.is_set():
                database = self.random.choice(DATABASES)
                commands = [("SELECT", database)]
                for _ in range(self.batch):
                    commands += self._some(database)
                replies = client.pipeline(commands)
                # Nothing here may fail but what a stream's or list's state makes fail.
                for command, reply in zip(commands, replies):
                    if isinstance(reply, Exception) and "no such key" not in str(reply):
                        raise RuntimeError("%s: %s" % (command, reply))
                self.commands += len(commands)
                time.sleep(self.pause)
        except Exception as error:  # told to the main thread, which ends the run
            self.failure = repr(error)

    def stop(self):
        self.stopping.set()
        self.join()
        if self.failure:
            raise RuntimeError("the application: " + self.failure)

    def _prepare(self, client):
        for database in DATABASES:
            client("SELECT", database)
            for prefix in (INSIDE, OUTSIDE):
                for number in range(NAMES):
                    key = "%sstream:%d" % (prefix, number)
                    client("XGROUP", "CREATE", key, "group", 0, "MKSTREAM")

    def _count(self, database, prefix, by=1):
        name = "%scount:%d" % (prefix, self.random.randrange(COUNTERS))
        key = (database, name.encode())
        self.counts[key] = self.counts.get(key, 0) + by
        return ("INCRBY", name, by)

    def _some(self, database):
        rng = self.random
        prefix = rng.choice((INSIDE, OUTSIDE))
        other = OUTSIDE if prefix == INSIDE else INSIDE
        number = rng.randrange(NAMES)
        self.sequence += 1
        text = "<%d>" % self.sequence

        def key(kind, offset=0, prefix=prefix):
            return "%s%s:%d" % (prefix, kind, (number + offset) % NAMES)

        choice = rng.randrange(16)
        if choice == 0:
            return [self._count(database, prefix), self._count(database, other, 3)]
        if choice == 1:
            return [("APPEND", key("text"), text), ("SETRANGE", key("range"), number * 7, text)]
        if choice == 2:
            return [("LPUSH", key("list"), text), ("RPUSH", key("list", 1), text, "")]
        if choice == 3:
            return [("RPOPLPUSH", key("list"), key("list", 1)), ("LTRIM", key("list", 1), 0, 200)]
        if choice == 4:
            return [("XADD", key("stream"), "MAXLEN", "~", 200, "*", "f", text),
                    ("XREADGROUP", "GROUP", "group", "one", "COUNT", 2, "STREAMS", key("stream"), ">")]
        if choice == 5:
            return [("SADD", key("set"), text, number), ("SPOP", key("set"))]
        if choice == 6:
            return [("SPOP", key("set", 2), 3), ("SMOVE", key("set"), key("set", 1), number)]
        if choice == 7:
            return [("MULTI",), self._count(database, prefix), ("LPUSH", key("list"), text),
                    self._count(database, other), ("APPEND", key("text"), text), ("EXEC",)]
        if choice == 8:
            return [("EVAL", SCRIPT, 3, key("number"), key("text", 3), key("set"), text)]
        if choice == 9:  # keys on both sides of the filter in one script
            return [("EVAL", SCRIPT, 3, key("number"), key("text", 3, other), key("set"), text)]
        if choice == 10:
            return [("MSET", key("plain"), text, key("plain", 0, other), text),
                    ("DEL", key("plain", 1), key("plain", 1, other))]
        if choice == 11:
            return [("HINCRBY", key("hash"), "f%d" % (number % 5), 1), ("HSET", key("hash"), text, 1),
                    ("HDEL", key("hash"), "<%d>" % (self.sequence - 500))]
        if choice == 12:
            return [("ZINCRBY", key("zset"), "0.25", "m%d" % (number % 7)),
                    ("EXPIRE", key("text"), 100000 + number), ("PERSIST", key("text", 2))]
        if choice == 13:  # across the filter, either way
            return [("RPOPLPUSH", key("list"), key("list", 2, other)),
                    ("SMOVE", key("set"), key("set", 3, other), number),
                    ("RENAME", key("plain"), key("moved", 1, other))]
        if choice == 14:
            return [("SUNIONSTORE", key("union"), key("set"), key("set", 0, other)),
                    ("COPY", key("hash", 0, other), key("copy"), "REPLACE"),
                    ("MULTI",), ("LMOVE", key("list"), key("list", 1, other), "LEFT", "RIGHT"),
                    self._count(database, prefix), ("APPEND", key("text"), text), ("EXEC",)]
        return [("SET", key("plain"), text, "PX", 90000000), ("INCRBYFLOAT", key("float"), "0.5"),
                ("RENAME", key("plain"), key("moved"))]
