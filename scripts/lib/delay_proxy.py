"""A TCP proxy that delays and does nothing else, in a process of its own: a long way to the destination.

Everything that comes in goes out again so many milliseconds later, however much is on its way, up to
IN_FLIGHT_MAX bytes: as a network with a long way and room enough, and not as a slow one.
"""

import socket
import subprocess
import sys
import threading
import time
from collections import deque

CHUNK = 1 << 18
IN_FLIGHT_MAX = 16 << 20


class Direction:
    """One way of one connection: a thread that takes in, and one that gives out."""

    def __init__(self, source, target, delay):
        self.source, self.target, self.delay = source, target, delay
        self.queue, self.size = deque(), 0
        self.changed = threading.Condition()
        for work in (self.take, self.give):
            threading.Thread(target=work, daemon=True).start()

    def take(self):
        data = b"-"
        while data:
            try:
                data = self.source.recv(CHUNK)
            except OSError:
                data = b""
            with self.changed:
                self.changed.wait_for(lambda: self.size < IN_FLIGHT_MAX)
                self.queue.append((time.monotonic() + self.delay, data))
                self.size += len(data)
                self.changed.notify_all()

    def give(self):
        data = b"-"
        while data:
            with self.changed:
                self.changed.wait_for(lambda: self.queue)
                due, data = self.queue.popleft()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if data:
                    self.target.sendall(data)
                else:
                    self.target.shutdown(socket.SHUT_WR)
            except OSError:
                data = b""
            with self.changed:
                self.size -= len(data)
                self.changed.notify_all()


def main(port, round_trip):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Direction(near, far, round_trip / 2)
        Direction(far, near, round_trip / 2)


class DelayProxy:
    """Runs one to a server on this machine."""

    def __init__(self, port, round_trip_milliseconds):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__, str(port),
             str(round_trip_milliseconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]) / 1000)
