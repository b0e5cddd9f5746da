"""Which users a run writes profiles of: ``--users``, ``--shard`` and ``--limit``."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import Histories


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1. A user's part depends on the user's token alone."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """``2/8`` is the second of eight.

        Raises:
            InputError: it is not written like that.
        """
        number, slash, count = text.partition("/")
        if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise InputError(f"--shard: {text!r} is no part; write i/n with i from 1 to n, e.g. 1/4")

    def has(self, user: str) -> bool:
        """Whether a user is in this part."""
        return zlib.crc32(user.encode()) % self.count == self.number - 1


def select_users(
    histories: Histories, users_file: Path | None = None, shard: Shard | None = None, limit: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """Indices into the histories, in their order.

    Args:
        histories: of all users with training interactions.
        users_file: file with one user token a line; unset: all.
        shard: part of these.
        limit: the first so many of these.

    Returns:
        Indices ``[users]``, and the tokens of ``users_file`` that have no history.

    Raises:
        InputError: the file cannot be read, or no user is left.
    """
    chosen = np.ones(len(histories), dtype=bool)
    without_history: list[str] = []
    if users_file is not None:
        wanted = _read_users(users_file)
        chosen = np.isin(histories.users, wanted)
        without_history = np.setdiff1d(wanted, histories.users).tolist()
        if not chosen.any():
            raise InputError(f"--users: none of the {len(wanted)} users in {users_file} has a training history")
    if shard is not None:
        chosen &= np.array([shard.has(user) for user in histories.users.tolist()], dtype=bool)
    indices = np.flatnonzero(chosen)[:limit]
    if not len(indices):
        raise InputError("no user is left: look at --users, --shard and --limit")
    return indices, without_history


def _read_users(path: Path) -> np.ndarray:
    try:
        tokens = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise InputError(f"--users: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--users: {path} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    return np.array([token for token in tokens if token], dtype=str)
