"""Standard input, output and error of a command that was started without them (``>&-``)."""

import os
import sys


def open_missing_streams() -> None:
    """Put the null device in the place of closed standard streams.

    Otherwise the next file that is opened, a journal perhaps, gets the number of the closed one, and what a library
    prints goes into it; and Python's ``sys.stdout`` is None, which has no ``flush``.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, so that often it is the right one
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
        stream = open(os.devnull, "r" if number == 0 else "w", encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
