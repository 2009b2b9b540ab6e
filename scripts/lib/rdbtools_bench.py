"""rdbtools (PyPI, Python) beside extract and analyze, on a file that both read: RDB 9, as Redis 6.2 writes it.

It is installed into a folder of its own the first time. Where that, or a run, fails, the table says how.
"""

import os
import shutil
import statistics
import subprocess
import sys

import dataset
import extract_bench
from resp import Server

SERVER = ".servers/redis-6.2/redis-server"
KEYS_MAX = 50_000  # it is slow


def _program(home):
    """The path of rdbtools' program, or what went wrong."""
    folder = os.path.abspath(home + "/rdbtools")
    program = folder + "/bin/rdb"
    if os.path.exists(program):
        return program, None
    for command in ([sys.executable, "-m", "venv", folder],
                    [folder + "/bin/pip", "install", "-q", "rdbtools", "python-lzf"]):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            return None, "%s: %s" % (" ".join(command[-3:]), _last_line(done.stderr))
    return program, None


def _last_line(output):
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def _file(home, client, keys):
    """A file of RDB 9 with the benchmark's keys."""
    path = os.path.abspath("%s/rdb9-%d.rdb" % (home, keys))
    if not os.path.exists(path):
        with Server(os.path.abspath(SERVER), parent=home) as server:
            dataset.pipe(client, server.port, dataset.commands(keys))
            server.client()("SAVE")
            shutil.move(server.folder + "/dump.rdb", path)
    return path


def measure(tool, home, client, keys, runs, say):
    """A table in Markdown."""
    keys = min(keys, KEYS_MAX)
    program, problem = _program(home)
    if problem:
        return "rdbtools could not be installed: %s" % problem
    file = _file(home, client, keys)
    size = os.path.getsize(file)
    pairs = [("json", [program, "-c", "json", file], [tool, "extract", file, "-q", "--format", "json"]),
             ("memory by key", [program, "-c", "memory", file], [tool, "extract", file, "-q", "--format", "csv"])]
    lines = ["| %d keys, RDB 9, %.0f MB | rdbtools MB/s | migr8sync MB/s | times as fast |" % (keys, size / 1e6),
             "| --- | ---: | ---: | ---: |"]
    for name, theirs, ours in pairs:
        seconds = []
        for command in (theirs, ours):
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                lines.append("| %s | fails: %s | | |" % (name, _last_line(done.stderr)))
                break
            seconds.append(statistics.median(
                extract_bench.run_apart(command)["seconds"] for _ in range(runs)))
        else:
            say("rdbtools, %s: %.1f s, migr8sync %.2f s" % (name, *seconds))
            lines.append("| %s | %.1f | %.0f | %.0f |" % (
                name, size / seconds[0] / 1e6, size / seconds[1] / 1e6, seconds[0] / seconds[1]))
    return "\n".join(lines)
