"""Runs a command on a terminal of its own until all the given words were shown, then presses Ctrl-C; its output
and its exit code are this script's. For the tests.

  pty_run.py WORD,WORD... COMMAND [ARGUMENT...]
"""

import os
import pty
import sys


def main():
    wanted = [word.encode() for word in sys.argv[1].split(",")]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.argv[2], sys.argv[2:])
    shown = b""
    while True:
        try:
            more = os.read(terminal, 1 << 16)
        except OSError:  # the last process on the terminal has gone
            break
        if not more:
            break
        shown += more
        if wanted and all(word in shown for word in wanted):
            wanted = []
            os.write(terminal, b"\x03")
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
