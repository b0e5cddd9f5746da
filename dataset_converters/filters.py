"""Filters of the interactions, each counted, so that whatever is not in the data set is accounted for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import polars as pl

from recbole_llmdistill.dataset_converters.source import ITEM, RATING, TIME, USER
from recbole_llmdistill.errors import InputError


@dataclass(frozen=True)
class Filters:
    """What to leave out, applied in this order.

    Attributes:
        since: earliest moment that is kept, seconds since 1970 (UTC).
        until: first moment that is not kept any more.
        min_rating: least rating that is kept; interactions without a rating go too.
        duplicates: of several interactions of a user with an item keep all, the first or the last in time.
        min_user_interactions: least number of interactions of a user. Counted once, before this and the next filter
            (the paper's way), so that users may be left with fewer after rare items are gone; ``k_core`` repeats.
        min_item_interactions: the same of an item.
        k_core: least number of both, repeated until it holds.
        sample_users: number of users that are kept, drawn at random from those that are left.
        seed: of the drawing. The same users are drawn whatever the order of the file.
    """

    since: int | None = None
    until: int | None = None
    min_rating: float | None = None
    duplicates: Literal["keep", "first", "last"] = "keep"
    min_user_interactions: int = 0
    min_item_interactions: int = 0
    k_core: int = 0
    sample_users: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("min_user_interactions", "min_item_interactions", "k_core", "sample_users", "seed"):
            if (getattr(self, name) or 0) < 0:
                raise InputError(f"--{name.replace('_', '-')} {getattr(self, name)}: give a number from 0")

    @property
    def count_users_or_items(self) -> bool:
        """Whether users or items with few interactions are left out."""
        return max(self.min_user_interactions, self.min_item_interactions, self.k_core) > 1


@dataclass(frozen=True)
class Step:
    """One line of the account: what was done, and how many interactions it removed and left."""

    name: str
    removed: int
    left: int


def parse_moment(text: str) -> int:
    """Seconds since 1970 of ``2016-10-01``, ``2016-10-01T12:00:00`` (UTC unless it names a zone) or a number.

    Raises:
        InputError: it is neither.
    """
    if text.lstrip("-").isdigit() and len(text) > 4:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no date such as 2016-10-01 or 2016-10-01T12:00:00 ({error})") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


class Account:
    """Interactions on their way through the filters, and the account of what each removed."""

    def __init__(self, interactions: pl.DataFrame) -> None:
        self.interactions = interactions
        self.steps = [Step("read", 0, interactions.height)]

    def replace(self, name: str, left: pl.DataFrame) -> None:
        """Take ``left`` for the interactions and note the difference.

        Raises:
            InputError: nothing is left.
        """
        self.steps.append(Step(name, self.interactions.height - left.height, left.height))
        if left.height == 0:
            account = ", ".join(f"{step.name}: {step.left:,}" for step in self.steps)
            raise InputError(f"no interaction is left ({account}); loosen the filter named last")
        self.interactions = left

    def keep(self, name: str, condition: pl.Expr) -> None:
        """Keep the rows for which the condition holds; null counts as false."""
        self.replace(name, self.interactions.filter(condition))


def apply_filters(account: Account, filters: Filters) -> None:
    """Apply every filter that is set.

    Args:
        account: of interactions in their order in time.
        filters: what to leave out.

    Raises:
        InputError: a filter needs a column that this data set lacks, or nothing is left.
    """
    if filters.since is not None:
        _require(account, TIME, "--since")
        account.keep("since", pl.col(TIME) >= filters.since)
    if filters.until is not None:
        _require(account, TIME, "--until")
        account.keep("until", pl.col(TIME) < filters.until)
    if filters.min_rating is not None:
        _require(account, RATING, "--min-rating")
        account.keep(f"rating at least {filters.min_rating:g}", pl.col(RATING) >= filters.min_rating)
    if filters.duplicates != "keep":
        # One number a pair: a struct would take three times the memory.
        user, item = (pl.col(column).to_physical().cast(pl.UInt64) for column in (USER, ITEM))
        pair = user * 2**32 + item
        account.keep(
            f"{filters.duplicates} of duplicates",
            pair.is_first_distinct() if filters.duplicates == "first" else pair.is_last_distinct(),
        )
    if max(filters.min_user_interactions, filters.min_item_interactions) > 1:
        name = f"users from {filters.min_user_interactions} and items from {filters.min_item_interactions} interactions"
        account.keep(name, _frequent(filters.min_user_interactions, filters.min_item_interactions))
    if filters.k_core > 1:
        account.replace(f"{filters.k_core}-core", _k_core(account.interactions, filters.k_core))
    if filters.sample_users is not None:
        account.replace("sample of users", _sample_users(account.interactions, filters.sample_users, filters.seed))


def _require(account: Account, column: str, flag: str) -> None:
    if column not in account.interactions.columns:
        raise InputError(f"{flag}: this data set has no {column}")


def _frequent(user_least: int, item_least: int) -> pl.Expr:
    return (pl.len().over(USER) >= user_least) & (pl.len().over(ITEM) >= item_least)


def _k_core(interactions: pl.DataFrame, k: int) -> pl.DataFrame:
    left = interactions
    while True:
        frequent = left.filter(_frequent(k, k))
        if frequent.height == left.height:
            return left
        left = frequent


def _sample_users(interactions: pl.DataFrame, number: int, seed: int) -> pl.DataFrame:
    users = interactions.select(pl.col(USER).unique()).sort(pl.col(USER).cast(pl.String))
    drawn = users.sample(min(number, users.height), seed=seed)
    return interactions.join(drawn, on=USER, how="semi", maintain_order="left")
