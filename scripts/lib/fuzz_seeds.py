"""Cuts seeds for scripts/fuzz out of the RDB files at hand: fuzz_seeds.py FOLDER.

Files go to FOLDER/file as they are. The other targets want single values; real servers know best where
those are, so two of them load each file and DUMP its keys: 6.2 gives ziplists, 8.2 listpacks.
Two bytes in front of every input say how it is read (Plan in FuzzReading.swift): the seeds take turns.
"""

import glob
import itertools
import os
import random
import shutil
import sys
import zlib

from resp import ReplyError, Server, encode
from rules import Rules
from workload import Workload

SERVERS = [".servers/redis-6.2/redis-server", ".servers/redis-8.2/redis-server"]
# The orders of the types in FuzzTargets.swift.
TYPES = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
         28]
BLOBS = {
    "intset": [11],
    "zipmap": [9],
    "ziplist": [10, 12, 13, 14],
    "listpack": [16, 17, 18, 20, 25],
    "stream": [15, 19, 21, 26, 27],
}
# What stands between a DUMP payload's type byte and its packed value: a count, a container, a base time.
IN_FRONT = {14: 1, 18: 2, 25: 8, 15: 18, 19: 18, 21: 18}
LARGEST = 4096
plans = itertools.count(1)


def keep(folder, target, data):
    if 0 < len(data) <= LARGEST:
        number = next(plans)
        plan = bytes([number & 255, number * 37 & 255])
        with open(os.path.join(folder, target, "%08x-%d" % (zlib.crc32(data), number)), "wb") as file:
            file.write(plan + data)


def string_at(data, at):
    """Start and end of the plain string at a place of a payload; None for all else."""
    if at + 5 > len(data):
        return None
    first = data[at]
    if first < 0x40:
        return at + 1, at + 1 + first
    if first < 0x80:
        return at + 2, at + 2 + ((first & 63) << 8 | data[at + 1])
    if first == 0x80:
        return at + 5, at + 5 + int.from_bytes(data[at + 1:at + 5], "big")
    return None


def keep_payload(folder, payload):
    keep(folder, "dump", payload)
    kind, end = payload[0], len(payload) - 10
    if kind in TYPES:
        keep(folder, "value", bytes([TYPES.index(kind)]) + payload[1:end])
    if kind == 0 and payload[1] == 0xC3 and payload[2] < 0x40 and 0x40 <= payload[3] < 0x80:
        size = (payload[3] & 63) << 8 | payload[4]
        keep(folder, "lzf", size.to_bytes(2, "little") + payload[5:end])
    for target, kinds in BLOBS.items():
        if kind not in kinds:
            continue
        place = string_at(payload, 1 + IN_FRONT.get(kind, 0))
        if place is None or place[1] > end:
            continue
        tail = payload[place[1]:end] if target == "stream" else b""
        if len(tail) > 255:
            tail = b""
        # The end mark is the target's to write.
        inside = payload[place[0]:place[1] - (target != "intset")]
        keep(folder, target, bytes([kinds.index(kind), len(tail)]) + inside + tail)


def keep_hand_made(folder):
    """What servers no longer write, and what LZF can do."""
    keep(folder, "zipmap", b"\x00\x00\x02\x01a\x01\x00b\x01c\x02\x03dxyz")
    keep(folder, "zipmap", b"\x00\x00\xfe\x04abcd\xfe\x04\x00\x00\x00\x00wxyz")
    keep(folder, "lzf", b"\x0a\x00\x00a\xe0\x00\x00")
    keep(folder, "lzf", b"\x07\x00\x03abcd\x20\x02")
    keep(folder, "lzf", b"\x40\x9c\x1f" + bytes(range(32)) + b"\xe0\xff\x1f" * 151)


def keep_commands(folder, program):
    """Streams of a few commands, every form that the differential test knows among them."""
    rng = random.Random(1)
    with Server(os.path.abspath(program)) as server:
        workload = Workload(server, server, Rules(rng), rng)
        for form in workload.forms:
            batch = [workload.make(form) for _ in range(3)] + workload.some()
            keep(folder, "commands", b"".join(encode(*command[1:]) for command in batch))


def main():
    folder = sys.argv[1]
    for target in ["file", "value", "lzf", "dump", "commands", *BLOBS]:
        os.makedirs(os.path.join(folder, target), exist_ok=True)
    files = sorted(glob.glob("Tests/Fixtures/rdb/*.rdb")
                   + glob.glob("../shared/fixtures/**/*.rdb", recursive=True))
    files = [path for path in files if os.path.getsize(path) < 1 << 20]
    keep_hand_made(folder)
    for path in files:
        with open(path, "rb") as file:
            keep(folder, "file", file.read())
    for program in SERVERS:
        if os.access(program, os.X_OK):
            keep_dumps(folder, program, files)
            keep_commands(folder, program)


def keep_dumps(folder, program, files):
    options = [] if "6.2" in program else ["--enable-debug-command", "local"]
    seen = set()
    waiting = list(files)
    while waiting:
        with Server(os.path.abspath(program), *options) as server:
            try:
                while waiting:
                    keep_file(folder, server, waiting.pop(0), seen)
            except ConnectionError:
                pass  # a damaged or newer file ended the server; go on with the next in another


def keep_file(folder, server, path, seen):
    client = server.client()
    shutil.copy(path, server.folder + "/dump.rdb")
    try:
        client("DEBUG", "RELOAD", "NOSAVE")
    except ReplyError:
        return
    for compression in ("no", "yes"):
        client("CONFIG", "SET", "rdbcompression", compression)
        for key in client("KEYS", "*"):
            payload = client("DUMP", key)
            if payload and payload not in seen:
                seen.add(payload)
                keep_payload(folder, payload)


main()
