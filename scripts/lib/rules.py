"""Random rules of a run, and what they mean, worked out apart from the program: for
scripts/differential.
"""

import re

DATABASES = (0, 1, 5)
# The beginnings of keys. Some are a rule's own prefix, whole or nearly.
HEADS = (b"in:", b"in:{tag}:", b"out:", b"inn:", b"in", b"{in:}", b"user:", b"\xff\xfe\r\n:")
# Keys by their whole name, of strings.
ODD = (b"", b"in:", b"user:", b"out", b" ", b"*", b"\x00\xff", b"in:" + b"long" * 70)


class Rules:
    """Options of the program, and where they bring a key."""

    def __init__(self, random):
        self.random = random
        self.options = []  # (name, value)
        self.takes, self.leaves = [], []
        self.databases = None
        style = random.choice(("prefix", "prefix", "prefixes", "match", "regex", "mixed", "all"))
        getattr(self, "_" + style)()
        if style != "all" and random.random() < 0.4:
            self._exclude()
        if random.random() < 0.3:
            self.databases = random.sample(DATABASES, 2)
            for database in self.databases:
                self.options.append(("db", b"%d" % database))
        self.isMirror = style == "all" and self.databases is None
        self.mayShare = bool(self.takes)

    # Kinds of rules

    def _add(self, option, argument, test, to):
        self.options.append((option, argument))
        to.append(test)

    def _by_prefix(self, prefix):
        self._add("prefix", prefix, lambda key: key.startswith(prefix), self.takes)

    def _prefix(self):
        self._by_prefix(self.random.choice((b"in:", b"in:", b"in", b"in:e", b"user:")))

    def _prefixes(self):
        for prefix in self.random.sample((b"in:", b"user:", b"{in:}", b"out:z", b"\xff\xfe"), 3):
            self._by_prefix(prefix)

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
            ("exclude-prefix", b"in:h"), ("exclude-prefix", b"in:{tag}"),
            ("exclude-match", b"*1"), ("exclude-match", b"*:[xz]?"),
            ("exclude-regex", b"[sn]0$"), ("exclude-regex", b"^in:.1")))
        test = {"exclude-prefix": lambda key: key.startswith(text),
                "exclude-match": globbed(text), "exclude-regex": searched(text)}[option]
        self._add(option, text, test, self.leaves)

    # Their meaning

    def matches(self, key):
        if self.takes and not any(test(key) for test in self.takes):
            return False
        return not any(test(key) for test in self.leaves)

    def place(self, database, key):
        """Where a key of the source lies at the destination: (database, key); or None."""
        if self.databases is not None and database not in self.databases:
            return None
        return (database, key) if self.matches(key) else None

    def seen(self, keys):
        """What the destination has to hold of what the source holds."""
        places = ((self.place(*name), state) for name, state in keys.items())
        return {place: state for place, state in places if place is not None}

    def __str__(self):
        return " ".join("--%s %s" % (name, repr(value)[1:]) for name, value in self.options) or "(none)"

    def file(self):
        """The options as a file of them, in which any byte can be written."""
        return b"".join(b'%s "%s"\n' % (name.encode(), b"".join(b"\\x%02x" % byte for byte in value))
                        for name, value in self.options)


def globbed(pattern):
    """A glob of *, ? and [ ] as Redis reads it."""
    text = re.escape(pattern).replace(rb"\*", b".*").replace(rb"\?", b".")
    text = text.replace(rb"\[", b"[").replace(rb"\]", b"]").replace(rb"\^", b"^").replace(rb"\-", b"-")
    return lambda key: re.fullmatch(text, key, re.DOTALL) is not None


def searched(pattern):
    """A regular expression of the kind that POSIX and Python read alike; $ is the very end."""
    text = pattern.replace(b"$", rb"\Z")
    return lambda key: re.search(text, key, re.DOTALL) is not None
