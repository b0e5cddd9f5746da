"""An event loop in a thread of its own, for callers that wait for one answer at a time from several threads."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Coroutine
from typing import Any


class BackgroundLoop:
    """Runs coroutines for other threads, until the object is gone or the program ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="event loop").start()

    def run(self, coroutine: Coroutine) -> Any:
        """Wait for what a coroutine returns, or raises."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C: the request is not to go on
            future.cancel()
            raise

    def close_with(self, owner: object, close: Any) -> None:
        """Call the coroutine function ``close`` and stop the loop when ``owner`` is gone, or the program ends."""
        weakref.finalize(owner, _stop, self._loop, close)


def _stop(loop: asyncio.AbstractEventLoop, close: Any) -> None:
    with contextlib.suppress(Exception):  # nobody is left whom it concerns
        asyncio.run_coroutine_threadsafe(close(), loop).result(timeout=5)
    loop.call_soon_threadsafe(loop.stop)
