"""Cut the training part of long histories into windows, so that every training target counts once."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Half-open index ranges into the interactions sorted by user and time, one entry a window.

    Attributes:
        start: first interaction of the window.
        end: one past its last interaction; ``end - start <= length``.
        counts_from: interactions before this index are context here, their turn comes in an earlier window.
    """

    start: np.ndarray
    end: np.ndarray
    counts_from: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


def cut_windows(first: np.ndarray, end: np.ndarray, length: int, stride: int) -> Windows:
    """Cover each user's range ``[first, end)`` with windows of at most ``length``, aligned to its end.

    The newest window ends where the user ends, each older one ``stride`` earlier. Each position is counted in
    exactly one window: a window counts its last ``stride`` positions, the oldest window of a user all that is left.
    So a counted position has at least ``length - stride`` others before it, unless the history is shorter than that.

    Args:
        first: index of each user's first interaction, shape ``[users]``.
        end: one past each user's last interaction, shape ``[users]``; greater than ``first``.
        length: longest window.
        stride: positions between the ends of two neighbouring windows, ``1 <= stride <= length``.
    """
    surplus = np.maximum(end - first - length, 0)
    per_user = 1 + -(-surplus // stride)
    user = np.repeat(np.arange(len(first)), per_user)
    age = np.arange(len(user)) - np.repeat(np.cumsum(per_user) - per_user, per_user)  # 0 is a user's newest window
    window_end = end[user] - age * stride
    window_start = np.maximum(first[user], window_end - length)
    oldest = age == per_user[user] - 1
    counts_from = np.where(oldest, window_start, window_end - stride)
    return Windows(window_start, window_end, counts_from)
