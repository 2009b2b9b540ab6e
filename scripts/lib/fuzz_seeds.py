"""Cuts seeds for scripts/fuzz out of the RDB files at hand: fuzz_seeds.py FOLDER.

Files go to FOLDER/file as they are. The other targets want single values; a real server knows best
where those are, so it loads each file and DUMPs its keys.
"""

import glob
import os
import shutil
import sys

from resp import ReplyError, Server

SERVER = ".servers/redis-8.2/redis-server"
# The order of `types` in FuzzTargets.swift.
TYPES = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
         28]
PACKED = [9, 10, 11, 12, 13, 16, 17, 20, 25, 15]
LARGEST = 4096


def keep(folder, target, name, data):
    if 0 < len(data) <= LARGEST:
        with open(os.path.join(folder, target, name), "wb") as file:
            file.write(data)


def main():
    folder = sys.argv[1]
    for target in ("file", "value", "framed", "lzf", "dump"):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
    files = sorted(glob.glob("Tests/Fixtures/rdb/*.rdb") + glob.glob("../shared/fixtures/rdb/*.rdb"))
    keep(folder, "lzf", "run", b"\x0a\x00\x00a\xe0\x00\x00")
    keep(folder, "lzf", "text", b"\x07\x00\x03abcd\x20\x02")
    for path in files:
        with open(path, "rb") as file:
            keep(folder, "file", os.path.basename(path), file.read())
    if not os.access(SERVER, os.X_OK):
        return
    with Server(os.path.abspath(SERVER), "--enable-debug-command", "local") as server:
        client = server.client()
        for number, path in enumerate(files):
            shutil.copy(path, server.folder + "/dump.rdb")
            try:
                client("DEBUG", "RELOAD", "NOSAVE")
            except ReplyError:
                continue
            except ConnectionError:  # a damaged file ended the server; what we have is enough
                return
            for key in client("KEYS", "*"):
                payload = client("DUMP", key)
                name = "%d-%d" % (number, abs(hash(key)))
                keep(folder, "dump", name, payload)
                if payload[0] in TYPES:
                    keep(folder, "value", name, bytes([TYPES.index(payload[0])]) + payload[1:-10])
                if payload[0] in PACKED and payload[1] < 0xC0:
                    start = 1 + (1 if payload[1] < 0x40 else 2)
                    inside = payload[start:-11]
                    keep(folder, "framed", name, bytes([PACKED.index(payload[0])]) + inside)


main()
