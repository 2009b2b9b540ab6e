"""An application with many connections that moves to the other server whenever it is told to.

Each connection writes its own sequence of numbers, one command at a time, and goes on with the next
number when the last one was acknowledged. A command that was refused, or whose connection was ended
before an answer, is repeated. So at the end every sequence has to be there whole, in order, and once.
"""

import os
import selectors
import signal
import socket
import time

from resp import encode

REPEAT_SECONDS = 0.002


class Connection:
    """One writer: RPUSH of a number to its list, then INCR of its counter, in turn."""

    def __init__(self, name, home, period, begin):
        self.name, self.home, self.period = name, home, period
        self.due = begin
        self.number = 0
        self.socket = None
        self.answer = b""
        self.asked = None  # when the command under way was first sent
        self.waiting = False  # for an answer

    def command(self):
        if self.number % 2:
            return encode("INCR", self.name + ":count")
        return encode("RPUSH", self.name + ":list", self.number)

    def send(self, now):
        if self.asked is None:
            self.asked = now
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.home), timeout=10)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.setblocking(False)
            self.socket.send(self.command())
            self.waiting = True
        except OSError:
            self.drop(now)

    def drop(self, now):
        """The connection is gone, and with it the answer: the command is repeated."""
        if self.socket is not None:
            self.socket.close()
        self.socket, self.answer, self.waiting = None, b"", False
        self.due = now + REPEAT_SECONDS

    def receive(self, now):
        """True when the command was acknowledged."""
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.drop(now)
            return False
        self.answer += data
        if not self.answer.endswith(b"\r\n"):
            return False
        answer, self.answer, self.waiting = self.answer, b"", False
        if not answer.startswith(b":"):
            # Refused, with NOPERM: nothing was done, and there will be another home.
            self.drop(now)
            return False
        self.number += 1
        self.due = max(self.due + self.period, now)
        return True


def run(results, source, destination, count, others, rate, abandons, moved):
    """Writes until SIGTERM; moves to the other server at SIGUSR1, and says so in the pipe `moved`. Sends what it
    has done through `results`."""
    moved = os.open(moved, os.O_RDWR)
    signals = []
    ready, bell = os.pipe()
    os.set_blocking(bell, False)
    os.set_blocking(ready, False)
    signal.set_wakeup_fd(bell)
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda caught, _: signals.append(caught))
    selector = selectors.DefaultSelector()
    selector.register(ready, selectors.EVENT_READ, None)
    begin = time.monotonic()
    period = (count + others) / rate
    connections = [Connection("bump:%d" % n, source, period, begin + period * n / count) for n in range(count)]
    connections += [Connection("other:%d" % n, source, period, begin) for n in range(others)]
    latencies, registered = [], {}
    home, other = source, destination
    results.send("ready")

    def watch(connection):
        if registered.get(connection) is not connection.socket:
            if registered.get(connection) is not None:
                try:
                    selector.unregister(registered[connection])
                except (KeyError, ValueError):
                    pass
            if connection.socket is not None:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            registered[connection] = connection.socket

    def hear(connection, now):
        before = registered.get(connection)
        if connection.receive(now):
            if connection.name.startswith("bump:"):
                latencies.append((now - connection.asked, connection.asked))
            connection.asked = None
        if connection.socket is None and before is not None:
            selector.unregister(before)
            registered[connection] = None

    while signal.SIGTERM not in signals or any(c.asked is not None for c in connections):
        now = time.monotonic()
        ends = signal.SIGTERM in signals
        for connection in connections:
            if connection.waiting or connection.due > now or (ends and connection.asked is None):
                continue
            connection.send(now)
            watch(connection)
        pending = [c.due for c in connections if not c.waiting]
        timeout = max(0, min(pending) - time.monotonic()) if pending else None
        for key, _ in selector.select(timeout):
            if key.data is None:
                os.read(ready, 64)
            else:
                hear(key.data, time.monotonic())
        if signal.SIGUSR1 in signals:
            signals.remove(signal.SIGUSR1)
            now = time.monotonic()
            home, other = other, home
            for connection in connections[:count]:
                connection.home = home
                if connection.waiting and abandons:
                    hear(connection, now)  # an answer that is there counts
                if connection.socket is not None and (abandons or not connection.waiting):
                    if registered.get(connection) is not None:
                        selector.unregister(registered[connection])
                        registered[connection] = None
                    due = connection.due
                    connection.drop(now)
                    connection.due = now if connection.asked is not None else due
            os.write(moved, b"\n")
    results.send(([(c.name, c.number) for c in connections], latencies))
