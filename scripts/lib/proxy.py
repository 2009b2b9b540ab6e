"""A TCP proxy whose target can be switched and whose connections can be harmed.

One thread per direction; a machine of faults needs no more speed than that.
"""

import contextlib
import socket
import threading
import time


class Proxy:
    """Listens on a free loopback port and relays to `target`."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []
        self.open = threading.Event()  # cleared: the black hole
        self.open.set()
        self.gates = {}  # of connections that are held up alone
        self.budget = None  # bytes from the server until everything is cut
        self.bytes_per_second = None
        self.delay = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends every connection at once."""
        with self.lock:
            pairs, self.pairs, self.budget = self.pairs, [], None
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def cut_after(self, count):
        """Ends every connection once the server has sent so many bytes more: mid-command."""
        with self.lock:
            self.budget = count

    def hole(self, seconds):
        """Keeps every connection and passes nothing on, then goes on as if nothing had been."""
        with self.held():
            time.sleep(seconds)

    @contextlib.contextmanager
    def held(self):
        """Passes nothing on for as long as the block runs."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()

    def strand(self, seconds):
        """Tells the clients that their connections are gone; what they had sent arrives later.

        A network may do that: a packet waits in a queue somewhere while its sender has given up.
        """
        with self.lock:
            pairs, self.pairs = self.pairs, []
        gate = threading.Event()
        for pair in pairs:
            self.gates[pair[0]] = gate
        time.sleep(0.05)  # whatever is sent meanwhile is stranded
        for near, _ in pairs:
            try:
                near.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        time.sleep(seconds)
        gate.set()

    def switch(self, target):
        """Sends new connections elsewhere and ends the present ones."""
        self.target = target
        self.cut()

    def stop(self):
        self.listener.close()
        self.open.set()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((near, far))
            threading.Thread(target=self._relay, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._relay, args=(far, near, True), daemon=True).start()

    def _allowed(self, count, is_answer):
        """How many of `count` bytes may pass before the cut that is ordered, if one is."""
        if not is_answer:
            return count
        with self.lock:
            if self.budget is None:
                return count
            allowed = min(count, self.budget)
            self.budget -= allowed
            return allowed

    def _relay(self, source, sink, is_answer):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                if self.delay:
                    time.sleep(self.delay)
                if self.bytes_per_second:
                    time.sleep(len(data) / self.bytes_per_second)
                self.open.wait()
                if not is_answer and source in self.gates:
                    self.gates[source].wait()
                allowed = self._allowed(len(data), is_answer)
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    self.cut()
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
