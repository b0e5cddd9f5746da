"""The order in time as RecBole can hold it.

RecBole keeps every float field in float32. Seconds since 1970 are beyond 2**30, where neighbouring float32 numbers are
64 (since 2004: 128) apart, so moments that close become equal. ``timestamp`` holds the true seconds; what RecBole is to
sort by is ``time_rank``, small whole numbers that float32 holds exactly: the place of the moment among all moments of
the data set. Equal moments have equal ranks; for them RecBole's stable sorting keeps the order of the file.
"""

import polars as pl

from recbole_llmdistill.dataset_converters.source import TIME, USER

TIME_RANK = "time_rank"
EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to this one are float32 numbers."""


def sort_by_time(interactions: pl.DataFrame) -> pl.DataFrame:
    """Oldest first; rows of equal time, or of a data set without times, keep the order they have."""
    return interactions.sort(TIME, maintain_order=True) if TIME in interactions.columns else interactions


def add_time_rank(interactions: pl.DataFrame, by: tuple[str, ...] = (TIME,)) -> tuple[pl.DataFrame, str]:
    """Add the column :data:`TIME_RANK`, from 0.

    Args:
        interactions: sorted by the columns ``by``, or of a data set without times.
        by: columns whose combined value is a moment.

    Returns:
        The interactions, and a sentence for the provenance that says what the ranks mean.
    """
    if TIME not in interactions.columns:
        # Only the order within each user is known.
        ranked = interactions.with_columns(pl.int_range(pl.len()).over(USER).alias(TIME_RANK))
        return ranked, "place of the interaction in its user's history; the source has no times"
    is_new = pl.any_horizontal((pl.col(column) != pl.col(column).shift(1)).fill_null(False) for column in by)
    ranked = interactions.with_columns(is_new.cum_sum().cast(pl.Int64).alias(TIME_RANK))
    moments = ranked[TIME_RANK][-1] + 1
    if moments <= EXACT_IN_FLOAT32:
        return ranked, f"place of the timestamp among the {moments:,} different ones of the data set"
    ranked = ranked.with_columns(pl.col(TIME_RANK) * EXACT_IN_FLOAT32 // moments)
    return ranked, (
        f"place of the timestamp among the {moments:,} different ones of the data set, scaled to {EXACT_IN_FLOAT32:,} "
        "whole numbers, so that neighbouring moments may share one; the rows of the file stand in the true order"
    )
