"""Windows over long histories, against a count by brute force."""

import numpy as np
import pytest

from recbole_llmdistill.data.windows import cut_windows


@pytest.mark.parametrize("shift", [None, 0.0, 0.3, 0.99])
@pytest.mark.parametrize(("length", "stride"), [(10, 5), (10, 10), (10, 1), (7, 3), (1, 1)])
def test_every_position_counts_once_with_enough_context(length: int, stride: int, shift: float | None) -> None:
    sizes = np.array([1, 2, 9, 10, 11, 15, 20, 21, 57])
    first = np.cumsum(sizes) - sizes
    end = first + sizes
    shifts = None if shift is None else np.full(len(sizes), shift)
    windows = cut_windows(first, end, length, stride, shifts)
    counted = np.zeros(sizes.sum(), dtype=int)
    for start, stop, counts_from in zip(windows.start, windows.end, windows.counts_from, strict=True):
        user = np.searchsorted(end, start, side="right")
        assert first[user] <= start < stop <= end[user]
        assert stop - start <= length
        for position in range(counts_from, stop):
            counted[position] += 1
            assert position - start >= min(length - stride, position - first[user])
    assert (counted == 1).all()


def test_a_short_history_is_one_window() -> None:
    windows = cut_windows(np.array([0, 4]), np.array([4, 14]), length=10, stride=5)
    assert windows.start.tolist() == [0, 4]
    assert windows.end.tolist() == [4, 14]


def test_shift_leaves_the_room_in_the_newest_window() -> None:
    # 13 positions in two windows of 10: room for 7 more.
    borders = [
        cut_windows(np.array([0]), np.array([13]), 10, 10, np.array([shift])).counts_from.tolist()
        for shift in (0.0, 0.5, 0.99)
    ]
    assert borders == [[3, 0], [7, 0], [10, 0]]
