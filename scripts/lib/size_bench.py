"""Measures what should not grow: memory, with values as large as a server takes them; time per key, with
many keys. Part of scripts/bench. Every result is verified by DEBUG DIGEST of both servers."""

import os
import time

from resp import Server, encode

BULK_MAX = "4gb"  # of both servers: 512 MB is what they take by themselves
MEGABYTE = 1e6
STRING_PARTS, STRING_PART_BYTES = 16, 64 << 20
LIST_ITEMS, LIST_ITEM_BYTES = 1 << 20, 1 << 10
HASH_FIELDS = 10_000_000
CHUNK = 1000
MANY = 20_000_000
FEW = 1_000_000


def _string(send, scale):
    for part in range(STRING_PARTS):
        send(encode(b"APPEND", b"bump:string", bytes([65 + part]) * (STRING_PART_BYTES // scale)))


def _list(send, scale):
    for start in range(0, LIST_ITEMS // scale, CHUNK):
        items = [(b"%d:" % number).ljust(LIST_ITEM_BYTES, b"x") for number in range(start, start + CHUNK)]
        send(encode(b"RPUSH", b"bump:list", *items))


def _hash(send, scale):
    for start in range(0, HASH_FIELDS // scale, CHUNK):
        words = []
        for number in range(start, start + CHUNK):
            words += (b"field:%d" % number, b"value:%d" % number)
        send(encode(b"HSET", b"bump:hash", *words))


VALUES = {"a string of 1 GB": _string, "a list of 1 GB": _list, "a hash of 10M fields": _hash}


def _server(options, *extra):
    return Server(os.path.abspath(options.server), "--enable-debug-command", "local",
                  "--proto-max-bulk-len", BULK_MAX, "--client-query-buffer-limit", BULK_MAX,
                  "--repl-diskless-sync-delay", "0", *extra, parent=options.home)


def _compare(source, destination, wrong):
    wanted, got = (server.client()("DEBUG", "DIGEST") for server in (source, destination))
    if wanted != got:
        raise wrong("the destination's digest is %s, expected %s" % (got, wanted))


def measure_values(options, measure_tool, scale, wrong, say):
    """{value: result}: one key each, moved by the tool."""
    results = {}
    for name, make in VALUES.items():
        with _server(options) as source, _server(options) as destination:
            client = source.client()

            def send(command):
                client.socket.sendall(command)
                client.read()

            make(send, scale)
            result = measure_tool(source, destination, options)
            _compare(source, destination, wrong)
        say("%-22s %6.1f s, %.0f MB at the most" % (
            name, result["seconds"], result["peak_memory_bytes"] / MEGABYTE))
        results[name] = result
    return results


def measure_keys(options, measure_native, measure_tool, scale, wrong, say):
    """{(what, keys): result}: keys of 30 bytes with their values."""
    results = {}
    for count in (FEW // scale, MANY // scale):
        with _server(options) as source:
            source.client()("DEBUG", "POPULATE", count, "bump", 16)
            for name, measure in (("native", measure_native), ("tool", measure_tool)):
                with _server(options) as destination:
                    result = measure(source, destination, options)
                    _compare(source, destination, wrong)
                say("%-8s %9d keys %6.1f s" % (name, count, result["seconds"]))
                results["%s %d" % (name, count)] = {
                    **result, "keys": count, "rate": count / result["seconds"], "name": name}
                time.sleep(0.1)
    return results


def values_table(results):
    lines = ["| one key | seconds | peak memory MB |", "| --- | ---: | ---: |"]
    for name, row in results.items():
        lines.append("| %s | %.1f | %.1f |" % (
            name, row["seconds"], row["peak_memory_bytes"] / MEGABYTE))
    return "\n".join(lines)


def keys_table(results):
    lines = ["| keys of 30 bytes | seconds | keys/s | × with the fewest keys | peak memory MB |",
             "| --- | ---: | ---: | ---: | ---: |"]
    titles = {"native": "native replica", "tool": "`migr8sync sync --once`"}
    for name in titles:
        rows = [row for row in results.values() if row["name"] == name]
        for row in rows:
            memory = row.get("peak_memory_bytes")
            lines.append("| %s, %d keys | %.1f | %.0f | %.2f | %s |" % (
                titles[name], row["keys"], row["seconds"], row["rate"],
                row["rate"] / rows[0]["rate"], "%.1f" % (memory / MEGABYTE) if memory else "–"))
    return "\n".join(lines)
