"""The supervisor's own guard: it does nothing until the supervisor is gone, and then kills what the supervisor had started.

Its standard input is a pipe whose other end only the supervisor holds, so the end of that file is the supervisor's death, be it
by `kill -9`. After an orderly stop nothing is left to kill.
"""

import signal
import sys

from openbell.supervise.processes import sweep


def main() -> None:
    """`python -m openbell.supervise.guard MARK`: wait for the end of standard input, then sweep the mark."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
