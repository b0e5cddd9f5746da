"""What RecBole's settings leave out when they load a data set, counted as RecBole counts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from recbole_llmdistill.errors import InputError

USER_INTERVAL, ITEM_INTERVAL = "user_inter_num_interval", "item_inter_num_interval"
_INTERVAL = re.compile(r"\s*([\[(])\s*([^,]+),\s*([^,]+?)\s*([\])])\s*")


@dataclass(frozen=True)
class LeftOut:
    """Numbers of what is in the files and not in training.

    Attributes:
        users: of all that have an interaction in the file.
        items: the same.
        interactions: of the rows of the file.
        of_users: users in the file.
        of_items: items in the file.
        of_interactions: rows in the file.
    """

    users: int
    items: int
    interactions: int
    of_users: int
    of_items: int
    of_interactions: int

    def __str__(self) -> str:
        return (
            f"{self.users:,} of {self.of_users:,} users, {self.items:,} of {self.of_items:,} items and "
            f"{self.interactions:,} of {self.of_interactions:,} interactions"
        )


def count_left_out(log: pl.DataFrame, user: str, item: str, settings: Mapping[str, Any]) -> LeftOut:
    """Apply RecBole's ``user_inter_num_interval`` and ``item_inter_num_interval`` until nothing more falls out.

    RecBole (dataset.py, ``_filter_by_inter_num``) judges users and items by the same counts, drops the rows of both,
    and counts again. A repeated pair counts as often as it stands in the file, or once with ``rm_dup_inter``.

    Args:
        log: interactions, a row each; ids of any type that polars can number, none of them missing.
        user: column of the users.
        item: column of the items.
        settings: RecBole settings of the data set.

    Raises:
        InputError: an interval is not one.
    """
    codes = [_codes(log[column]) for column in (user, item)]
    limits = [parse_intervals(name, settings.get(name)) for name in (USER_INTERVAL, ITEM_INTERVAL)]
    sizes = [int(column.max()) + 1 if len(column) else 0 for column in codes]
    before = [len(np.unique(column)) for column in codes]
    if settings.get("rm_dup_inter") is not None:
        pairs = np.unique(codes[0].astype(np.int64) * sizes[1] + codes[1])
        codes = [pairs // sizes[1], pairs % sizes[1]]
    while True:
        legal = [
            _within(np.bincount(column, minlength=size), intervals)
            for column, size, intervals in zip(codes, sizes, limits, strict=True)
        ]
        kept = legal[0][codes[0]] & legal[1][codes[1]]
        if kept.all():
            break
        codes = [column[kept] for column in codes]
    left = [len(np.unique(column)) for column in codes]
    return LeftOut(
        *(before[0] - left[0], before[1] - left[1], log.height - len(codes[0])),
        *(before[0], before[1], log.height),
    )


def parse_intervals(name: str, text: object) -> list[tuple[str, float, float, str]]:
    """RecBole's notation ``[3,inf)``, several separated by semicolons; empty where there is no limit.

    Raises:
        InputError: it is not of this form.
    """
    intervals = []
    for part in str(text).split(";") if text is not None else []:
        found = _INTERVAL.fullmatch(part)
        try:
            low, high = (float(found[2]), float(found[3])) if found else (1.0, 0.0)
        except ValueError:
            low, high = 1.0, 0.0
        if not found or not low <= high:
            raise InputError(f"{name}: {text!r} is no interval; write e.g. '[3,inf)', or '[0,inf)' to keep all")
        intervals.append((found[1], low, high, found[4]))
    return intervals


def how_to_keep(settings: Mapping[str, Any]) -> str:
    """The settings that keep everybody, as they are written in a yaml."""
    limited = [name for name in (USER_INTERVAL, ITEM_INTERVAL) if parse_intervals(name, settings.get(name))]
    return ", ".join(f'{name}: "[0,inf)"' for name in limited)


def describe_limits(settings: Mapping[str, Any]) -> str:
    """The settings that leave something out, as they are."""
    names = [name for name in (USER_INTERVAL, ITEM_INTERVAL, "rm_dup_inter") if settings.get(name) is not None]
    return ", ".join(f"{name}: {settings[name]}" for name in names)


def _codes(ids: pl.Series) -> np.ndarray:
    if not isinstance(ids.dtype, pl.Categorical):
        ids = ids.cast(pl.Categorical(pl.Categories.random()))
    return ids.to_physical().to_numpy()


def _within(counts: np.ndarray, intervals: list[tuple[str, float, float, str]]) -> np.ndarray:
    legal = np.full(len(counts), not intervals)
    for left, low, high, right in intervals:
        above = counts >= low if left == "[" else counts > low
        below = counts <= high if right == "]" else counts < high
        legal |= above & below
    return legal
