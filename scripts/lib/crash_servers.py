"""The servers of the crash machine: one that can be paused, and a destination that can crash, lose the
end of its log as a machine that loses power would, and be replaced by its own replica.
"""

import glob
import os
import signal
import subprocess
import threading
import time

from resp import Client, ReplyError, Server


class PausableServer(Server):
    def pause(self, seconds):
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def client(self, timeout=120.0):
        return Client(self.port, timeout)


class _LoggingServer(PausableServer):
    """With an append-only file, and knowledge of how long it was a second ago."""

    def __init__(self, program, policy, parent):
        self.program, self.policy = program, policy
        self.options = ["--appendonly", "yes", "--appendfsync", policy, "--repl-diskless-sync-delay",
                        "0", "--aof-load-truncated", "yes"]
        super().__init__(program, *self.options, parent=parent)
        self.lengths = []
        self.isStopped = False
        threading.Thread(target=self._watch, daemon=True).start()

    def _file(self):
        """The file that is being appended to."""
        files = glob.glob(os.path.join(self.folder, "appendonlydir", "*.incr.aof"))
        return max(files, key=lambda f: int(f.split(".")[-3])) if files else None

    def _watch(self):
        while not self.isStopped:
            try:
                path = self._file()
                self.lengths.append((time.monotonic(), path, os.path.getsize(path)))
            except (OSError, TypeError):
                pass
            del self.lengths[:-40]
            time.sleep(0.05)

    def crash(self, random):
        """kill -9; with everysec what was written in the last second may be gone, as after a power cut.

        Returns how many bytes are gone.
        """
        self.process.kill()
        self.process.wait()
        path = self._file()
        if self.policy == "always" or path is None or random.random() < 0.3:
            return 0
        now = time.monotonic()
        safe = [size for when, name, size in self.lengths if name == path and when > now - 1.0]
        length = os.path.getsize(path)
        cut = random.randint(min(safe[:1] + [length]), length)
        # Never inside a command: a server that finds half a command inside MULTI keeps the commands
        # before it in its log (6.2 to 8.2, Valkey 8.1), and carries them out when it starts once more.
        with open(path, "rb") as file:
            cut = file.read(cut).rfind(b"\r\n*") + 2 if cut < length else cut
        os.truncate(path, cut)
        return length - cut

    def restart(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.program, "--port", str(self.port), "--bind",
             "127.0.0.1", "--save", "", "--dir", self.folder, "--logfile",
             os.path.join(self.folder, "log"), *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        if not self._answers():
            raise RuntimeError("the destination does not start again:\n" + self.log())

    def stop(self):
        self.isStopped = True
        super().stop()


class Destination:
    """A primary and its replica."""

    def __init__(self, program, policy, parent):
        self.primary = _LoggingServer(program, policy, parent)
        self.replica = _LoggingServer(program, policy, parent)
        self._attach()

    def _attach(self):
        self.replica.client()("REPLICAOF", "127.0.0.1", self.primary.port)

    def crash(self, random):
        return self.primary.crash(random)

    def restart(self):
        self.primary.restart()

    def is_replica_current(self):
        """Whether a failover now would lose moments, not everything."""
        try:
            return self.replica.client().info("replication")["master_link_status"] == "up"
        except (OSError, ReplyError, KeyError):
            return False

    def promote_replica(self, random):
        """The replica becomes the primary; what had not reached it yet is lost."""
        self.replica.client()("REPLICAOF", "NO", "ONE")
        if random.random() < 0.5:  # writes to the old primary go on for a moment, and are lost
            time.sleep(random.random() * 0.5)
        self.primary, self.replica = self.replica, self.primary
        self._attach()

    def stop(self):
        self.primary.stop()
        self.replica.stop()
