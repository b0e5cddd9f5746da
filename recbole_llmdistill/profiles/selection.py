"""Which users (or items) a run writes texts of: ``--users`` or ``--items``, ``--shard`` and ``--limit``."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.subjects import Subjects


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1. Whose part one is depends on the token alone."""

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

    def has(self, token: str) -> bool:
        """Whether a user (or item) is in this part."""
        return zlib.crc32(token.encode()) % self.count == self.number - 1


def select(
    subjects: Subjects, file: Path | None = None, shard: Shard | None = None, limit: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """Indices into the subjects, in their order.

    Args:
        subjects: all that can have a text.
        file: with one token per line; unset: all.
        shard: part of these.
        limit: the first so many of these.

    Returns:
        Indices ``[N]``, and the tokens of ``file`` that are none of them.

    Raises:
        InputError: the file cannot be read, or nobody is left.
    """
    chosen = np.ones(len(subjects), dtype=bool)
    unknown: list[str] = []
    of = subjects.of
    if file is not None:
        wanted = _read_tokens(file, f"--{of.name}")
        chosen = np.isin(subjects.tokens, wanted)
        unknown = np.setdiff1d(wanted, subjects.tokens).tolist()
        if not chosen.any():
            raise InputError(f"--{of.name}: none of the {len(wanted)} {of.name} in {file} has {of.source}")
    if shard is not None:
        chosen &= np.array([shard.has(token) for token in subjects.tokens.tolist()], dtype=bool)
    indices = np.flatnonzero(chosen)[:limit]
    if not len(indices):
        raise InputError(f"no {of.noun} is left: look at --{of.name}, --shard and --limit")
    return indices, unknown


def _read_tokens(path: Path, flag: str) -> np.ndarray:
    try:
        tokens = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise InputError(f"{flag}: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{flag}: {path} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    return np.array([token for token in tokens if token], dtype=str)
