"""The tool as the crash machine runs it: a process with its log, and what may have kept it from beginning."""

import os
import subprocess

from application import INSIDE

UNREACHABLE = ("connection refused", "closed the connection", "did not answer", "timed out",
               "nothing came", "loading", "reset by peer", "no answer", "is a replica", "read-only replica",
               "being worked on")


class Failed(Exception):
    """What must not happen has happened."""


class Tool:
    """A running migr8sync, with its log."""

    def __init__(self, machine, *options):
        self.link = machine.link.port
        self.path = os.path.join(machine.folder, "tool-%03d.log" % machine.toolCount)
        machine.toolCount += 1
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", machine.options.tool, "sync", "--no-progress",
                 "-s", "redis://127.0.0.1:%d" % machine.link.port,
                 "-d", "redis://127.0.0.1:%d" % machine.front.port, "-p", INSIDE,
                 "--job", "crash", "--io-timeout", "5s", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def log(self):
        with open(self.path, errors="replace") as file:
            return file.read()

    @property
    def code(self):
        return self.process.poll()

    def send(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, seconds, what):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed("%s: the tool does not end; its log:\n%s" % (what, self.log()[-3000:]))

    def could_not_begin(self):
        """Whether it ended because a server could not be reached when it began: nothing else is allowed."""
        log = self.log()
        end = next((line for line in log.splitlines() if line.startswith("migr8sync: ")), "")
        if end.startswith(("migr8sync: following ", "migr8sync: reading from ")) and ":%d:" % self.link in end:
            return True  # its first attachment to the source was cut
        return "behind offset" not in log and any(word in log for word in UNREACHABLE)
