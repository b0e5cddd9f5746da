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


def cut_windows(
    first: np.ndarray, end: np.ndarray, length: int, stride: int, shift: np.ndarray | None = None
) -> Windows:
    """Cover each user's range ``[first, end)`` with the fewest windows of at most ``length``.

    Each position is counted in exactly one window: a window counts its last ``stride`` positions, the oldest window of
    a user all of its own. So a counted position has at least ``length - stride`` others before it, unless the history
    is shorter than that. The windows of a user seldom fill up to the last place; ``shift`` says where the room goes.

    Args:
        first: index of each user's first interaction, shape ``[users]``.
        end: one past each user's last interaction, shape ``[users]``; greater than ``first``.
        length: longest window.
        stride: positions that a window counts, ``1 <= stride <= length``.
        shift: of each user, in [0, 1): the share of the room that is left in the newest window, the rest being left in
            the oldest; none: all in the oldest. Drawn again for every epoch, it gives each position another context.
    """
    size = end - first
    older = np.maximum(-(-(size - length) // stride), 0)  # windows of each user besides the newest
    room = np.where(older > 0, length + older * stride - size, 0)
    left = np.zeros_like(room) if shift is None else (shift * (room + 1)).astype(room.dtype)
    user = np.repeat(np.arange(len(first)), older + 1)
    age = np.arange(len(user)) - np.repeat(np.cumsum(older + 1) - (older + 1), older + 1)  # 0: a user's newest window
    window_end = end[user] - age * stride + np.where(age > 0, left[user], 0)
    counts_from = np.where(age == older[user], first[user], end[user] - (age + 1) * stride + left[user])
    return Windows(np.maximum(first[user], counts_from - (length - stride)), window_end, counts_from)
