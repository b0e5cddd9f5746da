"""Tests and intervals against scipy, formulas by hand and enumeration."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from recbole_llmdistill.comparison.report.statistics import (
    absolute_change,
    by_user,
    holm,
    paired_t_test,
    relative_change,
    resampled_means,
    wilcoxon_test,
)


def test_paired_t_is_the_formula_and_scipy() -> None:
    first, second = np.array([0.4, 0.0, 1.0, 0.63, 0.2]), np.array([0.1, 0.0, 0.5, 0.63, 0.4])
    difference = first - second
    n = len(difference)
    t = difference.mean() / math.sqrt(((difference - difference.mean()) ** 2).sum() / (n - 1) / n)
    assert paired_t_test(difference) == pytest.approx(2 * stats.t.sf(abs(t), n - 1))
    assert paired_t_test(difference) == pytest.approx(stats.ttest_rel(first, second).pvalue)


def test_wilcoxon_by_enumeration_of_all_signs() -> None:
    difference = np.array([0.1, -0.2, 0.3, 0.45, 0.6, 0.0])  # the user without a difference is left out
    ranks = np.array([1, 2, 3, 4, 5])
    smaller = min(ranks[[0, 2, 3, 4]].sum(), ranks[[1]].sum())
    sums = [int(ranks @ np.array(signs)) for signs in itertools.product([0, 1], repeat=5)]
    expected = sum(min(total, 15 - total) <= smaller for total in sums) / len(sums)
    assert wilcoxon_test(difference[:5]) == pytest.approx(expected)
    assert wilcoxon_test(difference) == pytest.approx(stats.wilcoxon(difference).pvalue)


def test_nobody_differs() -> None:
    assert paired_t_test(np.zeros(9)) == wilcoxon_test(np.zeros(9)) == 1.0


def test_holm_by_hand() -> None:
    # ascending: .005 x 4 = .02, .01 x 3 = .03, .03 x 2 = .06, .04 x 1 = .04 but not below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    assert holm([0.02, float("nan"), 0.03]) == pytest.approx([0.04, float("nan"), 0.04], nan_ok=True)


def test_a_users_cases_are_averaged() -> None:
    users = np.array(["a", "a", "b", "c", "c", "c"])
    values = np.array([[1.0, 3, 5, 1, 1, 4], [0, 0, 2, 3, 3, 3]])
    assert by_user(values, users).tolist() == [[2, 5, 2], [0, 2, 3]]


def test_interval_of_one_seed_is_that_of_the_mean() -> None:
    values = np.random.default_rng(3).normal(1, 2, size=(1, 4000))
    change, low, high = absolute_change(values, np.zeros_like(values))
    half = 1.96 * values.std(ddof=1) / math.sqrt(values.size)
    assert change == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_interval_tells_of_seeds_that_disagree() -> None:
    users = np.zeros((4, 500))
    values = users + np.array([[0.0], [0.0], [1.0], [1.0]])  # every user alike, seeds not
    change, low, high = absolute_change(values, users)
    assert change == 0.5
    assert low <= 0.1
    assert high >= 0.9


def test_relative_change_of_a_steady_ratio_has_no_width() -> None:
    baseline = np.random.default_rng(0).random((3, 50))
    assert relative_change(1.1 * baseline, baseline) == pytest.approx((0.1, 0.1, 0.1))


def test_no_relative_change_of_nothing() -> None:
    assert all(math.isnan(value) for value in relative_change(np.ones((2, 4)), np.zeros((2, 4))))


def test_resamples_are_those_of_all_quantities_and_of_every_call() -> None:
    values = np.random.default_rng(1).random((2, 3, 40))
    values[1] = 2 * values[0]
    first = resampled_means(values, resamples=50)
    assert np.allclose(first[1], 2 * first[0])
    assert np.array_equal(first, resampled_means(values, resamples=50))
