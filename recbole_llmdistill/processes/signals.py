"""Signals that ask a command to end: Ctrl-C, SIGTERM of ``kill`` and of schedulers, SIGHUP of a closed terminal.

All are raised as ``KeyboardInterrupt`` in the main thread, which libraries know how to pass on (Ray's C++ part passes
on nothing else), so that what was begun is cleared up. A second one ends the process at once.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from recbole_llmdistill.processes.children import end_children

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM", signal.SIGHUP: "ended by SIGHUP"}
_received: list[signal.Signals] = []


def note(number: int) -> None:
    """A signal has come, and somebody else handles it."""
    _received.append(signal.Signals(number))


def was_received() -> bool:
    """Whether a signal has asked the command to end."""
    return bool(_received)


def tell() -> int:
    """Say in a line which signal ended the command.

    Returns:
        The exit status that a shell reports of a process that died of it.
    """
    number = _received[0] if _received else signal.SIGINT
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(_WORDS[number], file=sys.stderr, flush=True)
    atexit.register(_ignore_signals)
    return 128 + number


def _ignore_signals() -> None:
    """The process ends: a further signal would only put its own end in the place of the status.

    It is ignored rather than handled, because the interpreter takes handlers away before the last of its clearing up.
    """
    for number in _WORDS:
        signal.signal(number, signal.SIG_IGN)


class EndingSignals:
    """While it is entered these signals end the command; one that is ignored, by ``nohup`` for one, remains so.

    Outside the main thread nothing changes.
    """

    def __enter__(self) -> None:
        _received.clear()
        self._process = os.getpid()
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in _WORDS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process and number != signal.SIGINT:  # a forked process has inherited this handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        note(number)
        if len(_received) > 1 and os.getpid() == self._process:
            status = tell()
            end_children()
            os._exit(status)
        raise KeyboardInterrupt
