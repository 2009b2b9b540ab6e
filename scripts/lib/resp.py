"""A small RESP client and a way to run real servers, for the benchmark and the demo.

Binary-safe and blocking; requests can be pipelined. Only what those scripts need.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class ReplyError(Exception):
    """An error reply of the server, as text."""


def encode(*words):
    """One command in wire form. Words are bytes, or anything whose str() is the text to send."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Client:
    def __init__(self, port, timeout=120.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", buffering=1 << 18)

    def close(self):
        self.reader.close()
        self.socket.close()

    def __call__(self, *words):
        """Sends one command; returns its reply, or raises ReplyError."""
        self.socket.sendall(encode(*words))
        reply = self.read()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def pipeline(self, commands):
        """Sends a list of commands (tuples of words) at once; returns the list of replies."""
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.reader.read(length + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        raise ConnectionError("not RESP: %r" % line[:40])

    def info(self, section):
        """The fields of one INFO section."""
        text = self("INFO", section).decode(errors="replace")
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def exit_on_signals():
    """Makes SIGTERM and a closed terminal unwind the script, so that what it started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))


class Server:
    """A real server on a free loopback port, in a folder of its own, without periodic saving."""

    def __init__(self, program, *options, parent=None):
        self.folder = os.path.abspath(tempfile.mkdtemp(prefix="server-", dir=parent))
        for attempt in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",  # it dies with us, however we end
                 program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir",
                 self.folder, "--logfile", os.path.join(self.folder, "log"), *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True)  # a Ctrl-C at the terminal is for the script to handle
            if self._answers():
                return
        log = self.log()
        self.stop()
        raise RuntimeError("%s does not start; its log:\n%s" % (program, log))

    def _answers(self, deadline=60.0):
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False  # the port was taken in the meantime, or an option is wrong
            try:
                client = Client(self.port)
            except OSError:
                time.sleep(0.005)
                continue
            try:
                client("PING")
                if int(client.info("server")["process_id"]) == self.process.pid:
                    return True  # otherwise somebody else's server got the port first
            except (ReplyError, ConnectionError):  # LOADING, or about to give up
                time.sleep(0.02)
            finally:
                client.close()
        return False

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                return "".join(file.readlines()[-5:])
        except OSError:
            return "(none)"

    def client(self):
        return Client(self.port)

    def cpu_seconds(self):
        """User and system time of the server process, its finished children (forks) included."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.kill()  # nothing in a server of ours is worth saving
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
