"""Coroutines for callers that are none."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_coroutine(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns, or raises; in a thread of its own where this one's event loop runs, as in a notebook.

    Ctrl-C cancels it, and is raised when it has ended.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task | None]] = []

    async def noted() -> Result:
        running.append((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    with ThreadPoolExecutor(1, "event loop") as pool:
        future = pool.submit(lambda: asyncio.run(noted()))
        try:
            return future.result()
        except BaseException:
            if running and not future.done():
                loop, task = running[0]
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)
            raise
