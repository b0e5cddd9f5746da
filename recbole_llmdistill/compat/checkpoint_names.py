"""Checkpoints of runs that start in the same second have different names.

Answered line: ``Trainer.__init__`` names the checkpoint after the second of its start (trainer.py 132), so that of two
runs that a script starts at once in one folder the later one to save wins, and either may test the other's weights.
"""

import fcntl
import os
import re
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.trainer import Trainer

from recbole_llmdistill.compat.extend import extend

_CLAIM = re.compile(r"\..*\.claim")
_release_of: dict[str, weakref.finalize] = {}
"""What lets go of each name that this process has taken."""


def claim(checkpoint: Path, owner: Any) -> bool:
    """Take a checkpoint's name for as long as ``owner`` and this process live.

    Args:
        checkpoint: the file, which need not exist; its folder does.
        owner: an object, a trainer.

    Returns:
        Whether nobody else has it.
    """
    path = _claim_file(checkpoint)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    except OSError:  # a file system without locks: as RecBole does
        os.close(file)
        return True
    if not path.exists() or path.stat().st_ino != os.fstat(file).st_ino:  # its last owner has just let go of it
        os.close(file)
        return claim(checkpoint, owner)
    _release_of[os.fspath(path)] = weakref.finalize(owner, _release, file, path, os.getpid())
    return True


def claim_again(checkpoint: Path, owner: Any) -> bool:
    """As :func:`claim`, for a run that goes on: in this process, as in a notebook, its first trainer may still exist.

    The name passes from that trainer to ``owner``.
    """
    path = _claim_file(checkpoint)
    before = _release_of.get(os.fspath(path))
    held = before.detach() if before is not None else None
    if held is None:
        return claim(checkpoint, owner)
    _, release, arguments, _ = held
    _release_of[os.fspath(path)] = weakref.finalize(owner, release, *arguments)
    return True


def _claim_file(checkpoint: Path) -> Path:
    return Path(os.path.abspath(checkpoint)).with_name(f".{checkpoint.stem}.claim")


def _release(file: int, path: Path, process: int) -> None:
    if os.getpid() == process:  # a forked process has its copies
        path.unlink(missing_ok=True)
        os.close(file)


def _remove_stale(folder: Path) -> None:
    """Remove the claims of killed processes."""
    for name in os.listdir(folder):
        if _CLAIM.fullmatch(name):
            with suppress(OSError), open(folder / name) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / name).unlink()


def _init_trainer(self: Trainer, original: Callable, config: Config, model: torch.nn.Module) -> None:
    original(self, config, model)
    if config["local_rank"] != 0:
        return
    named = free = Path(self.saved_model_file)
    _remove_stale(named.parent)
    number = 1
    while free.exists() or free.with_suffix(".resume").exists() or not claim(free, self):
        number += 1
        free = named.with_stem(f"{named.stem}-{number}")
    self.saved_model_file = os.fspath(free)


def install() -> None:
    """Extend RecBole's trainers."""
    extend(Trainer, "__init__", _init_trainer)
