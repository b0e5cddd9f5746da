"""When a run ends early: a signal, an error that will not go away, or too many failures in a row."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import Entity
from recbole_llmdistill.processes import signals as ending_signals
from recbole_llmdistill.profiles.llm.protocol import RequestFailed


class Stop:
    """Why and how a run ends before its last user (or item).

    Args:
        of: users or items.
        limit: so many failures in a row end it.

    Attributes:
        requested: no further one is to be started.
    """

    def __init__(self, of: Entity, limit: int) -> None:
        self._of = of
        self.requested = False
        self._limit = limit
        self._failed_in_a_row = 0
        self._reason: BaseException | None = None

    def because_of(self, reason: BaseException) -> None:
        """End the run; the first reason is the one that is told."""
        self.requested = True
        self._reason = self._reason or reason

    def after_profile(self) -> None:
        """One got a text."""
        self._failed_in_a_row = 0

    def after_failure(self, failure: RequestFailed) -> None:
        """One failed."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._limit:
            self.because_of(
                InputError(
                    f"{self._failed_in_a_row} {self._of.name} in a row failed, the last one because of: {failure}; "
                    "stopped, so that no more is spent; fix the cause and start the same command again, which goes "
                    "on from here"
                )
            )

    def raise_reason(self) -> None:
        """Raise the reason, if there is one."""
        if self._reason is not None:
            raise self._reason

    def on_signals(self, workers: list[asyncio.Task]) -> "_SignalHandlers":
        """Context in which Ctrl-C, SIGTERM or SIGHUP ends the run gently, and a second one cancels ``workers``."""

        def interrupt() -> None:
            if self.requested:
                for worker in workers:
                    worker.cancel()
            self.because_of(KeyboardInterrupt())

        return _SignalHandlers(interrupt)


class _SignalHandlers:
    """While it is entered, Ctrl-C, SIGTERM and SIGHUP call ``handler``.

    Outside the main thread signals stay as they are.
    """

    def __init__(self, handler: Callable[[], None]) -> None:
        self._handler = handler
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if before is signal.SIG_IGN:  # as nohup wants it
                continue
            try:
                loop.add_signal_handler(number, self._handle, number)
            except (ValueError, RuntimeError, NotImplementedError):
                continue
            self._before[number] = before

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, before)

    def _handle(self, number: int) -> None:
        ending_signals.note(number)
        self._handler()
