"""A random application for scripts/differential: one client writes, another waits for what it writes.

Keys come from few names on both sides of the rules, so that commands meet. Many commands fail at the
source, which is as it should be: those are in no stream.
"""

import hashlib
import select
import time

import catalogue
from resp import ReplyError, encode
from rules import DATABASES, HEADS, ODD

KINDS = {"Str": b"s", "Num": b"n", "Bit": b"b", "Hll": b"p", "List": b"l", "Set": b"e", "Zset": b"z",
         "Geo": b"g", "Hash": b"h", "Stream": b"x", "Vec": b"q"}
# Times to live are either over before a round is judged, or long after.
BRIEF_MS = 40
LONG_MS = 500_000_000


def known_commands(client):
    """{name: whether it writes} by the server's COMMAND, with subcommands apart."""
    known = {}

    def walk(rows):
        for row in rows:
            if len(row) > 9 and row[9]:
                walk(row[9])
            else:
                known[row[0].decode().lower()] = b"write" in row[2]
    walk(client("COMMAND"))
    return known


class Workload:
    def __init__(self, server, elsewhere, rules, random, isVerbatim=False):
        self.client, self.waiter = server.client(), server.client()
        self.elsewhere, self.rules, self.random = elsewhere, rules, random
        self.known = known_commands(self.client)
        self.forms = [form for form in catalogue.read(catalogue.FORMS) if self._knows(form.name)]
        if isVerbatim:  # a script that does not declare what it writes cannot be placed by anyone
            self.forms = [form for form in self.forms
                          if ("word", "@elsewhere", "") not in form.parts]
        self.waiting = [f for f in catalogue.read(catalogue.WAITING) if self._knows(f.name)]
        # A theme: some commands, which may not often be meant together, come often.
        theme = random.sample(self.forms, random.choice((0, 8, 20)))
        self.weights = [form.weight * (8 if form in theme and form.weight >= 5 else 1)
                        for form in self.forms]
        self.succeeded = set()
        self.ids, self.members = [b"1-1"], [b"v0"]
        self.serial = 0
        self.side = None
        self.commands = 0
        # Few names meet often, many seldom.
        self.heads = [b"in:", b"out:", *random.sample(HEADS, random.choice((0, 1, 3)))]
        self.numbers = random.choice((1, 2, 3))
        self.pools = self._pools()
        self.startOfTimes = int(time.time())

    def forget(self, *names):
        """These commands are not sent."""
        self.weights = [0 if form.name in names else weight
                        for form, weight in zip(self.forms, self.weights)]

    def _knows(self, name):
        return name in self.known or name.split("|")[0] in self.known

    def _pools(self):
        """{(kind's letter, whether inside): names}; a side without names of a kind has all."""
        pools = {}
        for letter in KINDS.values():
            names = [head + letter + b"%d" % number for head in self.heads for number in range(self.numbers)]
            names += ODD if letter == b"s" else ()
            for side in (True, False, None):
                pools[letter, side] = [n for n in names if side is None
                                       or self.rules.matches(n) == side] or names
        return pools

    # What fills the holes of a form

    def key(self, kind):
        letter = KINDS.get(kind) or self.random.choice(list(KINDS.values()))
        if self.random.random() < 0.04:
            letter = self.random.choice(list(KINDS.values()))
        return self.random.choice(self.pools[letter, self.side])

    def value(self):
        self.serial += 1
        chance = self.random.random()
        if chance < 0.004:
            return b"<%d>" % self.serial + bytes(self.random.randrange(256) for _ in range(64)) * 20000
        if chance < 0.02:
            return b"<%d>" % self.serial * self.random.randrange(3000)
        if chance < 0.1:
            return self.random.choice((b"", b"\r\n", b"*3\r\n$1\r\n", b"\x00\xff", b"store", b"db", b"ex"))
        return b"<%d>" % self.serial

    def new_member(self):
        self.serial += 1
        self.members = self.members[-5:] + [b"v%d" % self.serial]
        return self.members[-1]

    def hole(self, name):
        random = self.random
        if name in KINDS or name == "Any":
            return self.key(name)
        makers = {
            "Value": self.value,
            "Member": lambda: b"%d" % random.randrange(3) if random.random() < 0.3
            else b"m%d" % random.randrange(7),
            "New": self.new_member,
            "Recent": lambda: random.choice(self.members),
            "Field": lambda: b"f%d" % random.randrange(9),
            "Int": lambda: b"%d" % random.randrange(30),
            "Degree": lambda: b"%d" % random.randrange(60),
            "Float": lambda: random.choice((b"0.1", b"-2.5", b"3", b"1e10", b"7.25", b"0.30000000000000004")),
            "Db": lambda: b"%d" % random.choice(DATABASES),
            "Side": lambda: random.choice((b"LEFT", b"right")),
            "Group": lambda: random.choice((b"g", b"g", b"h")),
            "Consumer": lambda: random.choice((b"c", b"d")),
            "Id": lambda: random.choice(self.ids),
            "Pattern": lambda: random.choice(self.heads) + random.choice((b"n*", b"s*")),
            "Json": lambda: b'{"n": %d}' % random.randrange(9),
            "Ms": lambda: b"%d" % (LONG_MS + random.randrange(1000000)),
            "Sec": lambda: b"%d" % (LONG_MS // 1000 + random.randrange(1000)),
            "AtMs": lambda: b"%d" % (self.startOfTimes * 1000 + LONG_MS + random.randrange(1000000)),
            "AtSec": lambda: b"%d" % (self.startOfTimes + LONG_MS // 1000 + random.randrange(1000)),
        }
        return makers[name]()

    def fill(self, parts, isDigest=False):
        words = []
        for kind, content, repeat in parts:
            if kind == "option":
                words += self.fill(content) if self.random.random() < 0.5 else []
            elif kind == "group":
                count = self.random.randint(1, 3) if repeat else 1
                words += [b"%d" % count] if repeat == "#" else []
                for _ in range(count):
                    words += self.fill(content)
            elif content[0].isupper():
                choices = content.split("/")
                words.append(self.hole(self.random.choice(choices)))
            else:
                word = self.random.choice(content.split("/")) if "/" in content else content
                text = catalogue.SCRIPTS.get(word) or catalogue.LIBRARIES.get(word) or word
                data = text.encode()
                words.append(hashlib.sha1(data).hexdigest().encode()
                             if isDigest and word[0] == "@" else data)
        return words

    def make(self, form):
        """A command, its keys on one side of the rules or on both."""
        self.side = self.random.choice((True, True, False, None, None, None))
        return (form.name, *self.fill(form.parts, form.name == "evalsha"))

    def one(self):
        return self.make(self.random.choices(self.forms, self.weights)[0])

    # Commands that belong together

    def some(self):
        """A few commands as (name, word, …)."""
        chance = self.random.random()
        if chance < 0.06:
            return [self.select()]
        if chance < 0.14:
            return self.transaction()
        if chance < 0.17:
            return self.brief()
        if chance < 0.2:
            return self.made()
        return [self.one()]

    def select(self):
        return ("select", b"SELECT", b"%d" % self.random.choice((0, 0, *DATABASES)))

    def transaction(self):
        inside = [self.select() if self.random.random() < 0.15 else self.one()
                  for _ in range(self.random.randint(1, 7))]
        end = (b"EXEC",) if self.random.random() < 0.95 else (b"DISCARD",)
        return [("multi", b"MULTI"), *inside, ("exec", *end)]

    def brief(self):
        """A key or field that expires before the round is judged, and is not written to again: what is
        written to a key about to expire meets it or not."""
        self.serial += 1
        key = self.random.choice(self.heads) + b"brief%d" % self.serial
        end = b"%d" % self.random.randint(1, BRIEF_MS)
        forms = [[("set", b"SET", key, b"v", b"PX", end)], [("psetex", b"PSETEX", key, end, b"v")],
                 [("rpush", b"RPUSH", key, b"a"), ("pexpire", b"PEXPIRE", key, end)],
                 [("hset", b"HSET", key, b"a", b"1"), ("expire", b"EXPIRE", key, b"0")]]
        if "hpexpire" in self.known:
            forms.append([("hset", b"HSET", key, b"a", b"1", b"b", b"2"),
                          ("hpexpire", b"HPEXPIRE", key, end, b"FIELDS", b"1", b"a")])
        return [("multi", b"MULTI"), *self.random.choice(forms), ("exec", b"EXEC")]

    def made(self):
        """Commands with an answer of the server in them, or for another server."""
        self.side = self.random.choice((True, False, None))
        kind = self.random.choice(("restore", "restore", "migrate", "function"))
        if kind == "function":
            if "function|restore" not in self.known or self.random.random() < 0.8:
                return []
            policy = self.random.choice((b"FLUSH", b"APPEND", b"REPLACE"))
            return [("function|restore", b"FUNCTION", b"RESTORE", self.client("FUNCTION", "DUMP"), policy)]
        if kind == "migrate":
            keys = (b"KEYS", self.key("Any"), self.key("Any"))
            single = self.random.random() < 0.5
            return [("migrate", b"MIGRATE", b"127.0.0.1", b"%d" % self.elsewhere.port,
                     keys[1] or b"k" if single else b"", b"0", b"5000", b"REPLACE",
                     *(() if single else keys))]
        payload = self.client("DUMP", self.key("Any"))
        if payload is None:
            return []
        name = self.random.choice(("restore", "restore", "restore-asking"))
        times = self.random.choice(((b"0",), (self.hole("Ms"),), (self.hole("AtMs"), b"ABSTTL")))
        return [(name, name.upper().encode(), self.key("Any"), times[0], payload, b"REPLACE", *times[1:])]

    # Sending

    def play(self, count):
        """Sends about so many commands, many at once."""
        end = self.commands + count
        while self.commands < end:
            if self.waiting and self.random.random() < 0.15:
                self.wait_and_serve()
                continue
            batch = []
            for _ in range(self.random.choice((1, 3, 10, 30, 100))):
                batch += self.some()
            self.send(batch)

    def send(self, batch):
        replies = self.client.pipeline([command[1:] for command in batch])
        self.commands += len(batch)
        queued = []
        for command, reply in zip(batch, replies):
            if command[0] == "multi":
                queued = []
            elif command[0] == "exec" and isinstance(reply, list):
                for inner, answer in zip(queued, reply):
                    self.note(inner, answer)
            elif reply == b"QUEUED":
                queued.append(command)
            else:
                self.note(command, reply)

    def note(self, command, reply):
        if isinstance(reply, ReplyError):
            return
        self.succeeded.add(command[0])
        if command[0] == "xadd" and isinstance(reply, bytes):
            self.ids = self.ids[-30:] + [reply]

    def wait_and_serve(self):
        """One client waits for something, the other gives it."""
        form = self.random.choice(self.waiting)
        command = self.make(form)
        database = self.random.choice((0, 0, *DATABASES))
        number = self.waiter.pipeline([("SELECT", database), ("CLIENT", "ID")])[1]
        self.waiter.socket.sendall(encode(*command[1:]))
        while not self.is_answered() and self.client.info("clients")["blocked_clients"] == "0":
            pass
        letters = {b"l": b"RPUSH", b"z": b"ZADD", b"x": b"XADD"}
        keys = [word for word in command[2:] if any(
            word in self.pools[letter, None] for letter in letters)]
        batch = [("select", b"SELECT", b"%d" % database)]
        for key in self.random.sample(keys, min(len(keys), 2)):
            push = letters[key[-2:-1]]
            arguments = {b"RPUSH": (b"1", b"2"), b"ZADD": (b"1", b"m1", b"2", b"m2"),
                         b"XADD": (b"*", b"f", b"v")}[push]
            batch.append((push.decode().lower(), push, key, *arguments))
        if self.random.random() < 0.3:
            batch = [batch[0], ("multi", b"MULTI"), *batch[1:], self.one(), ("exec", b"EXEC")]
        self.send(batch)
        if not self.is_answered():
            self.client("CLIENT", "UNBLOCK", number)
        self.note(command, self.waiter.read())
        self.commands += 1

    def is_answered(self):
        return bool(select.select([self.waiter.socket], [], [], 0.002)[0])

    def settle(self):
        """Until all that was to expire soon has, and the source has said so in its stream."""
        time.sleep(BRIEF_MS / 1000)
        client = self.client
        for field in list(client.info("keyspace")):
            if not field.startswith("db"):
                continue
            client("SELECT", field[2:])
            while True:
                keys = client("KEYS", "*")
                lengths = client.pipeline([("HLEN", key) for key in keys])
                fields = client.pipeline([("HKEYS", key) for key in keys])
                if client("DBSIZE") == len(keys) and all(
                        length == len(names) for length, names in zip(lengths, fields)
                        if isinstance(names, list)):
                    break
                time.sleep(0.005)
