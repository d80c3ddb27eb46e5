"""Becomes a program that the kernel kills, with its group, when whoever started it is gone.

    python leash.py DESCRIPTOR PROGRAM ARGUMENT…

The descriptor is the reading end of a pipe whose other end the starter holds. On Linux, closing
that one, as every death of the starter does, sends the group a SIGKILL.
"""

import fcntl
import os
import select
import signal
import sys

_NOT_RUN = 127
"""What shells say, too."""


def main(held: int, argv: list[str]) -> int:
    """Returns only if the program cannot be run."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(held, fcntl.F_SETOWN, -os.getpgid(0))
        fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(held, fcntl.F_GETFL)
        fcntl.fcntl(held, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([held], [], [], 0)[0]:
        return _NOT_RUN  # it was gone before the kernel knew of us
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # which Python ignores, and programs inherit
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
    return _NOT_RUN


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
