"""Groups of test cases: everybody is in one, equals are together."""

from itertools import pairwise

import numpy as np
import pytest

from recbole_llmdistill.comparison.report.groups import groupings, quantile_groups


@pytest.mark.parametrize("values", [np.arange(100), np.repeat([1, 2], 50), np.full(7, 3), np.array([5, 1, 1, 1, 9])])
def test_everybody_is_in_a_group_with_equals(values) -> None:
    labels, group = quantile_groups(values, 4)
    assert len(group) == len(values)
    assert set(group) == set(range(len(labels)))
    for value in np.unique(values):
        assert len(set(group[values == value])) == 1
    ends = [(values[group == number].min(), values[group == number].max()) for number in range(len(labels))]
    assert all(high < low for (_, high), (low, _) in pairwise(ends))


def test_groups_are_of_about_equal_size_and_named_after_their_ends() -> None:
    labels, group = quantile_groups(np.arange(1, 101), 4)
    assert np.bincount(group).tolist() == [25, 25, 25, 25]
    assert labels == ["1 to 25", "26 to 50", "51 to 75", "76 to 100"]
    assert quantile_groups(np.full(3, 2000), 4)[0] == ["2,000"]


def test_all_groupings_have_all_cases(held_out) -> None:
    quality = np.linspace(1, 3, len(held_out.users))
    quality[:4] = np.nan
    made = groupings(held_out, quality)
    assert [division.name for division in made] == [
        "history length",
        "training interactions of the held-out item",
        "profile quality",
    ]
    for division in made:
        assert np.bincount(division.group, minlength=len(division.labels)).sum() == len(held_out.users)
    assert made[-1].labels[-1] == "no profile"
    assert set(made[-1].group[:4]) == {3}
    assert len(groupings(held_out, None)) == 2
    assert groupings(held_out, np.full(len(quality), np.nan))[-1].labels == ["no profile"]
