"""Processes that a command has started: none outlives it, however it ends."""

import contextlib
import os
import threading
import time

_LOOK_SECONDS = 1.0


def end_children() -> None:
    """Kill the processes that this one has started, and theirs."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()


def end_with(parent: int) -> None:
    """End this process when the one that started it is gone, killed perhaps, rather than work for nobody.

    Args:
        parent: id of that process, as it was given here: it may be gone already, as importing RecBole takes seconds.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
