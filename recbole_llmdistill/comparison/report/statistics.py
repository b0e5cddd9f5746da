"""Is a difference more than chance? Tests over users, paired, and intervals over users and seeds.

Every user is asked the same by both models and in every seed. The tests take each user's difference, averaged over the
seeds; pairs of one user in several seeds are no independent witnesses, so they are not counted as such. The intervals
resample users and seeds, so they also tell what another seed might have given.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

RESAMPLES = 1000
_PIECE = 2**24  # random numbers at a time


def by_user(values: np.ndarray, users: np.ndarray) -> np.ndarray:
    """Mean of each user's cases.

    Args:
        values: ``[S, R]`` a value for each seed and test case.
        users: ``[R]`` user of each case, sorted.

    Returns:
        ``[S, U]``.
    """
    _, first, counts = np.unique(users, return_index=True, return_counts=True)
    return np.add.reduceat(values, first, axis=1) / counts


def paired_t_test(differences: np.ndarray) -> float:
    """Two-sided p-value of Student's paired t-test for ``[U]`` differences; 1 if nobody differs, NaN for one user."""
    if not differences.any():
        return 1.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue) if len(differences) > 1 else float("nan")


def wilcoxon_test(differences: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; users without a difference are left out, 1 if that is all."""
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down procedure; NaN stays NaN and does not count."""
    values = np.asarray(p_values, dtype=float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted.tolist()


def resampled_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Means over resampled users and seeds, the same users and seeds for all quantities.

    Users are drawn with replacement by Poisson weights, whose sum differs a little from their number; the means are
    divided by it. Seeds are drawn with replacement.

    Args:
        values: ``[Q, S, U]`` quantities for each seed and user.
        resamples: how many.
        seed: of the drawing.

    Returns:
        ``[Q, resamples]``.
    """
    quantities, seeds, users = values.shape
    random = np.random.default_rng(seed)
    flat = values.reshape(quantities * seeds, users).T
    of_seeds = np.zeros((quantities * seeds, resamples))
    step = max(1, _PIECE // users)
    for start in range(0, resamples, step):
        weights = random.poisson(1.0, size=(min(step, resamples - start), users)).astype(np.float64)
        totals = np.maximum(weights.sum(axis=1, keepdims=True), 1)
        of_seeds[:, start : start + step] = (weights @ flat / totals).T
    drawn = random.integers(0, seeds, size=(seeds, resamples))
    of_seeds = of_seeds.reshape(quantities, seeds, resamples)
    return np.take_along_axis(of_seeds, drawn[None], axis=1).mean(axis=1)


def interval(resampled: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of ``[resamples]`` values."""
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def relative_change(values: np.ndarray, baseline: np.ndarray) -> tuple[float, float, float]:
    """Change of the mean, as a share of the baseline's, and its 95 % interval; NaN where the baseline is 0.

    Args:
        values: ``[S, U]`` of a model.
        baseline: ``[S, U]`` of the other, same seeds and users.
    """
    return _change(values, baseline, relative=True)


def absolute_change(values: np.ndarray, baseline: np.ndarray) -> tuple[float, float, float]:
    """Difference of the means and its 95 % interval; arguments as of :func:`relative_change`."""
    return _change(values, baseline, relative=False)


def _change(values: np.ndarray, baseline: np.ndarray, relative: bool) -> tuple[float, float, float]:
    pair = np.stack([values, baseline])
    means = pair.mean(axis=(1, 2))
    resampled = resampled_means(pair)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (means[0] - means[1]) / (means[1] if relative else 1)
        changes = (resampled[0] - resampled[1]) / (resampled[1] if relative else 1)
    if not np.isfinite(change):
        return (float("nan"),) * 3
    return float(change), *interval(changes[np.isfinite(changes)])
