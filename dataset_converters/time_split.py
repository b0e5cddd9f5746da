"""The paper's split, global in time, as an order of interactions that RecBole's own ratio split cuts rightly.

Training: all interactions up to a moment. Test: the last interaction of every user who has one after that moment.
Validation: the interactions of these users in between. Users and items without a training interaction are held out.

RecBole's ratio split (``eval_args: {order: TO, group_by: none, split: {RS: [..]}}``) sorts the targets by the time
field and cuts after given shares. So the test interactions are ranked behind all others, which keeps the order within
every user, and the shares are the very numbers of targets. RecBole's sequential data sets make a
target of every interaction but a user's first.
"""

from dataclasses import dataclass

import polars as pl

from recbole_llmdistill.dataset_converters.filters import Account
from recbole_llmdistill.dataset_converters.source import ITEM, TIME, USER
from recbole_llmdistill.dataset_converters.time_order import EXACT_IN_FLOAT32, add_time_rank
from recbole_llmdistill.errors import InputError

_PART, _IS_TEST = "part", "is_test"


@dataclass(frozen=True)
class TimeSplit:
    """What was split how.

    Attributes:
        last_training_second: training goes up to and including this moment, seconds since 1970.
        interactions: number of interactions of training, validation and test.
        targets: number of RecBole's rows of each: interactions but for a user's first.
    """

    last_training_second: float
    interactions: tuple[int, int, int]
    targets: tuple[int, int, int]

    @property
    def settings(self) -> dict:
        """RecBole settings that cut exactly here.

        RecBole rounds every share but the first down, so half a row more keeps rounding errors away.
        """
        train, valid, test = self.targets
        return {
            "eval_args": {
                "split": {"RS": [train - 1, valid + 0.5, test + 0.5]},
                "order": "TO",
                "group_by": "none",
                "mode": "full",
            }
        }


def split_globally(account: Account, quantile: float) -> TimeSplit:
    """Hold out cold users and items, and rank the others in an order that RecBole cuts.

    Args:
        account: of interactions, oldest first; left with ``time_rank``, the test interactions at the end.
        quantile: share of the interactions that is training, between 0 and 1.

    Raises:
        InputError: there are no times, or a part would be empty.
    """
    if TIME not in account.interactions.columns:
        raise InputError("--global-time-split: this data set has no times")
    if not 0 < quantile < 1:
        raise InputError(f"--global-time-split {quantile:g}: give a share between 0 and 1, e.g. 0.8")
    log = account.interactions
    cut = log[TIME][max(0, round(quantile * log.height) - 1)]
    is_training = pl.col(TIME) <= cut
    for column, name in ((USER, "cold users held out"), (ITEM, "cold items held out")):
        account.keep(name, is_training.any().over(column))
    is_last = pl.int_range(pl.len()).over(USER) == pl.len().over(USER) - 1
    part = pl.when(is_training).then(0).when(is_last).then(2).otherwise(1).alias(_PART)
    log = account.interactions.with_columns(part).with_columns((pl.col(_PART) == 2).alias(_IS_TEST))
    log, _ = add_time_rank(log.sort(_IS_TEST, maintain_order=True), by=(_IS_TEST, TIME))
    if log.n_unique([_IS_TEST, TIME]) > EXACT_IN_FLOAT32:
        raise InputError(
            "--global-time-split: float32 cannot hold that many different times apart; use --since or --sample-users"
        )
    is_target = pl.int_range(pl.len()).over(USER) > 0
    counts = log.group_by(_PART).agg(pl.len().alias("interactions"))
    targets = log.filter(is_target).group_by(_PART).agg(pl.len().alias("targets"))
    split = TimeSplit(cut, _of_parts(counts, "interactions"), _of_parts(targets, "targets"))
    if not all(split.targets):
        raise InputError(
            f"--global-time-split {quantile:g}: training, validation and test would have {split.targets} targets; "
            "take another share"
        )
    account.interactions = log.drop(_PART, _IS_TEST)
    return split


def _of_parts(counts: pl.DataFrame, column: str) -> tuple[int, int, int]:
    training, validation, test = (int(counts.filter(pl.col(_PART) == part)[column].sum()) for part in range(3))
    return training, validation, test
