"""Random rules of a run, and what they mean, worked out apart from the program: for
scripts/differential.
"""

import re

DATABASES = (0, 1, 5)
# The beginnings of keys. Some are a rule's own prefix, whole or nearly.
HEADS = (b"in:", b"in:{tag}:", b"out:", b"inn:", b"in", b"{in:}", b"user:", b"\xff\xfe\r\n:")
# Keys by their whole name, of strings.
ODD = (b"", b"in:", b"user:", b"out", b" ", b"*", b"\x00\xff", b"in:" + b"long" * 70)
PREFIXES = (b"in:", b"user:", b"{in:}", b"out:z", b"\xff\xfe")
STYLES = ("prefix", "prefix", "prefixes", "match", "regex", "mixed", "all", "renamed", "types", "routes")
TYPES = (b"string", b"list", b"set", b"zset", b"hash", b"stream")


class Rules:
    """Options of the program, and where they bring a key."""

    def __init__(self, random, style=None):
        self.random = random
        self.options = []  # (name, value)
        self.takes, self.leaves = [], []
        self.databases = None
        self.rewrites, self.numbers, self.routes = [], {}, []
        # Types that are copied; keys of others that were there when the snapshot was taken.
        self.types, self.left = None, set()
        style = style or random.choice(STYLES)
        getattr(self, "_" + style)()
        if style != "all" and random.random() < 0.4:
            self._exclude()
        if self.databases is None and random.random() < 0.3:
            self._select(random.sample(DATABASES, 2))
        # Others' keys may not be those that a rule brings.
        self.mayShare = bool(self.takes or self.routes) and b"" not in self.routes and not any(
            new == b"" for _, new in self.rewrites)

    # Kinds of rules

    def _add(self, option, argument, test, to):
        self.options.append((option, argument))
        to.append(test)

    def _by_prefix(self, prefix):
        self._add("prefix", prefix, lambda key: key.startswith(prefix), self.takes)

    def _select(self, databases):
        self.databases = databases
        for database in databases:
            self.options.append(("db", b"%d" % database))

    def _prefix(self):
        self._by_prefix(self.random.choice((b"in:", b"in:", b"in", b"in:e", b"user:")))

    def _prefixes(self):
        for prefix in self.random.sample(PREFIXES, 3):
            self._by_prefix(prefix)

    def _renamed(self):
        """Other names, other dbs, or both; none of which meet."""
        self._by_prefix(b"in:")
        if self.random.random() < 0.5:
            self._by_prefix(b"user:")
        for old, new in self.random.choice((
                ((b"in:", b"moved:"),), ((b"in:s", b"text:"), (b"in:e", b"sets/")),
                ((b"in:l", b"\x00\xff"), (b"in:{tag}", b"{other}"), (b"in:{tag}:z", b"ranks:")), (),
                ((b"in:", b"in="), (b"user:", b"person")) if len(self.takes) > 1 else ((b"in:", b""),))):
            self.rewrites.append((old, new))
            self.options.append(("rewrite", old + b"=" + new.replace(b"=", b"\\=")))
        if not self.rewrites or self.random.random() < 0.5:
            self._select((0, 1))
            self.numbers = self.random.choice(({0: 2}, {0: 1, 1: 0}, {0: 5, 1: 3}))
            for number, other in self.numbers.items():
                self.options.append(("db-map", b"%d=%d" % (number, other)))

    def _routes(self):
        """Several destinations; in some cases one has the rest."""
        self.routes = self.random.sample(PREFIXES + (b"in", b"in:e", b"in:{tag}"), 2)
        if self.random.random() < 0.5:
            self.routes.append(b"")

    def _types(self):
        if self.random.random() < 0.7:
            self._prefix()
        self.types = self.random.sample(TYPES, 3)
        self.options.append(("type", b",".join(self.types)))

    def _match(self):
        glob = self.random.choice((b"in:*", b"*:[a-m]?", b"*[02]", b"in[:n]*", b"*:?[^1]"))
        self._add("match", glob, globbed(glob), self.takes)

    def _regex(self):
        text = self.random.choice((b"^in:", b"[02]$", b"^(in|out):[b-l]", b"^in.*[^1]$", b":[ezlh]"))
        self._add("regex", text, searched(text), self.takes)

    def _mixed(self):
        self._prefix()
        self._match()

    def _all(self):
        pass

    def _exclude(self):
        option, text = self.random.choice((
            ("exclude-prefix", b"in:h"), ("exclude-prefix", b"in:{tag}:l"),
            ("exclude-match", b"*1"), ("exclude-match", b"*:[xz]?"),
            ("exclude-regex", b"[sn]0$"), ("exclude-regex", b"^in:.1")))
        test = {"exclude-prefix": lambda key: key.startswith(text),
                "exclude-match": globbed(text), "exclude-regex": searched(text)}[option]
        self._add(option, text, test, self.leaves)

    # Their meaning

    @property
    def count(self):
        """How many destinations there are."""
        return max(1, len(self.routes))

    def matches(self, key):
        return self._destination(key) is not None

    def _destination(self, key):
        if any(test(key) for test in self.leaves):
            return None
        if self.routes:
            fitting = [prefix for prefix in self.routes if key.startswith(prefix)]
            return self.routes.index(max(fitting, key=len)) if fitting else None
        return 0 if not self.takes or any(test(key) for test in self.takes) else None

    def place(self, database, key):
        """Where a key of the source lies: (destination, database, key); or None."""
        if self.databases is not None and database not in self.databases:
            return None
        destination = self._destination(key)
        if destination is None or (database, key) in self.left:
            return None
        fitting = [pair for pair in self.rewrites if key.startswith(pair[0])]
        if fitting:
            old, new = max(fitting, key=lambda pair: len(pair[0]))
            key = new + key[len(old):]
        return destination, self.numbers.get(database, database), key

    def leave(self, keys):
        """The snapshot has been taken of these keys: those of other types stay out for good."""
        if self.types is not None:
            self.left = {name for name, state in keys.items() if state[0] not in self.types}

    def seen(self, keys, destination):
        """What a destination has to hold of what the source holds."""
        places = ((self.place(*name), state) for name, state in keys.items())
        return {place[1:]: state for place, state in places if place and place[0] == destination}

    # In words

    def __str__(self):
        options = self.options + [("route", prefix + b"=...") for prefix in self.routes]
        return " ".join("--%s %s" % (name, repr(value)[1:]) for name, value in options) or "(none)"

    def file(self, ports):
        """The options as a file of them, in which any byte can be written."""
        urls = [b"redis://127.0.0.1:%d" % port for port in ports]
        options = self.options + (
            [("route", prefix + b"=" + url) for prefix, url in zip(self.routes, urls)]
            or [("dest", urls[0])])
        return b"".join(b'%s "%s"\n' % (name.encode(), b"".join(b"\\x%02x" % byte for byte in value))
                        for name, value in options)


def globbed(pattern):
    """A glob of *, ? and [ ] as Redis reads it."""
    text = re.escape(pattern).replace(rb"\*", b".*").replace(rb"\?", b".")
    text = text.replace(rb"\[", b"[").replace(rb"\]", b"]").replace(rb"\^", b"^").replace(rb"\-", b"-")
    return lambda key: re.fullmatch(text, key, re.DOTALL) is not None


def searched(pattern):
    """A regular expression of the kind that POSIX and Python read alike; $ is the very end."""
    text = pattern.replace(b"$", rb"\Z")
    return lambda key: re.search(text, key, re.DOTALL) is not None
