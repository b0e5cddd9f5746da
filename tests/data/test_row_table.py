"""Our table of rows against RecBole's Interaction, which it replaces."""

import copy

import numpy as np
import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_llmdistill.data.fast.row_table import RowTable

COLUMNS = {
    "user": torch.tensor([3, 1, 3, 2, 1, 3, 1]),
    "time": torch.tensor([0.0, -0.0, -2.5, 1e30, -1e-40, float("inf"), -2.5]),
    "moment": torch.tensor([1.7e9 + 1, -0.0, 1.7e9, float("-inf"), 0.0, -1e300, 1.7e9], dtype=torch.float64),
    "unknown": torch.tensor([1.0, float("nan"), 0.0, float("nan"), -1.0, 2.0, 0.0]),
    "list": torch.arange(14).reshape(7, 2) % 5,
    "row": torch.arange(7),
}


def assert_same(found: Interaction, expected: Interaction) -> None:
    assert found.columns == expected.columns
    assert len(found) == len(expected)
    for name in expected.columns:
        np.testing.assert_array_equal(found[name].numpy(), expected[name].numpy())


@pytest.mark.parametrize("ascending", [True, [True]])
@pytest.mark.parametrize(
    "by",
    [
        "user",
        "time",
        "moment",
        "unknown",
        "list",
        ["user", "time"],
        ["time", "user"],
        ["list", "user"],
        ["user", "moment"],
    ],
)
def test_sort(by, ascending) -> None:  # descending, RecBole stops with an error
    found, expected = RowTable(dict(COLUMNS)), Interaction(copy.deepcopy(COLUMNS))
    found.sort(by, ascending)
    expected.sort(by, ascending)
    assert_same(found, expected)


@pytest.mark.parametrize(
    "index",
    [
        *(range(2, 5), range(0, 7, 2), slice(1, 6), slice(None, None, 3), [4, 0], [], 5),
        *(np.array([4, 4, 0]), np.array([-1, 2]), np.array([1, 2], dtype=np.int32), np.array([True] * 3 + [False] * 4)),
        *(
            torch.tensor([6, 0]),
            torch.tensor([-2, 1]),
            torch.tensor([False, True] * 3 + [True]),
            torch.tensor([[1, 2]]),
        ),
        np.array([], dtype=np.int64),
    ],
    ids=repr,
)
def test_index(index) -> None:
    assert_same(RowTable(dict(COLUMNS))[index], Interaction(dict(COLUMNS))[index])


def test_a_missing_field_is_refused_as_by_recbole() -> None:
    with pytest.raises(ValueError, match="not exist"):
        RowTable(dict(COLUMNS)).sort("nowhere")
