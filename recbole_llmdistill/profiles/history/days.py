"""Days of interactions, where the data set has real times: prompts ask what has grown or faded."""

import functools

import numpy as np

UNKNOWN = np.int32(-1)
"""Instead of a day that is not known."""

_UNITS = (1, 1e3, 1e6, 1e9)  # seconds, milliseconds, microseconds, nanoseconds
_EARLIEST, _LATEST = 1e8, 4.2e9
"""Seconds since 1970 that are taken for times: from 1973 to 2103. Places in an order are smaller."""
_SHARE = 0.99
"""So many of the values at least must be times."""
_DAY = 86_400
_GAP = 28
"""Days from which on a gap is told; a reader sees shorter ones by the dates."""


def days_of(values: np.ndarray) -> np.ndarray | None:
    """Days since 1970 (UTC) of times in seconds, milliseconds, microseconds or nanoseconds, ``[N]`` int32.

    None where the values are no times but an order (1, 2, 3 ...); single values that are none become ``UNKNOWN``.
    """
    values = np.asarray(values, dtype=np.float64)
    for unit in _UNITS:
        seconds = values / unit
        known = (seconds >= _EARLIEST) & (seconds < _LATEST)
        if len(values) and known.mean() >= _SHARE:
            return np.where(known, np.floor(np.where(known, seconds, 0) / _DAY), UNKNOWN).astype(np.int32)
    return None


@functools.lru_cache(100_000)
def date(day: int) -> str:
    """``2024-03-01``; an unknown day has none."""
    return "" if day == UNKNOWN else str(np.datetime64(int(day), "D"))


def gap(earlier: int, later: int) -> str:
    """``5 weeks later``, ``4 months later``, ``3 years later``; nothing for less than four weeks."""
    days = later - earlier
    if earlier == UNKNOWN or later == UNKNOWN or days < _GAP:
        return ""
    if days < 60:
        return f"{days / 7:.0f} weeks later"
    if days < 700:
        return f"{days / 30.44:.0f} months later"
    years = round(days / 365.25)
    return f"{years} years later"
