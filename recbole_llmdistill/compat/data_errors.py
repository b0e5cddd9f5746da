"""A data set that cannot be loaded or split is told in one line.

Answered lines: whatever is wrong in a file or with a filter reaches the user as an error of pandas, NumPy or torch from
within ``Dataset._from_scratch`` and ``Dataset.build`` (dataset.py 118, 1806), or as an empty part that fails an epoch
later; lists longer than the catalogue fail in ``torch.topk`` after the first epoch (trainer.py 431 is before it).
"""

from collections.abc import Callable
from typing import Any

from recbole.data.dataset import Dataset
from recbole.evaluator import Collector

from recbole_llmdistill.compat.extend import extend
from recbole_llmdistill.errors import InputError

_FAILURES = (
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, NotImplementedError, AssertionError),
    *(ZeroDivisionError, RuntimeError),
)


def _from_scratch(self: Dataset, original: Callable) -> None:
    from recbole_llmdistill.data import dataset_check
    from recbole_llmdistill.registry import MODELS

    if self.config["model"] in MODELS:
        dataset_check.check_dataset(self.config)  # passes over byte order marks, too
    else:
        dataset_check.pass_over_marks(self.config)
    try:
        original(self)
    except InputError:
        raise
    except _FAILURES as error:
        rows = getattr(self, "inter_feat", None)
        if rows is not None:
            dataset_check.check_rows_left(self.config, len(rows))
        raise dataset_check.explain_failure(self.config, error) from error
    dataset_check.check_rows_left(self.config, len(self.inter_feat))


def _build(self: Dataset, original: Callable) -> list[Dataset]:
    from recbole_llmdistill.data import dataset_check

    try:
        parts = original(self)
    except InputError:
        raise
    except _FAILURES as error:
        raise dataset_check.explain_failure(self.config, error) from error
    dataset_check.check_training_part(self.config, len(parts[0].inter_feat))
    return parts


def _data_collect(self: Collector, original: Callable, train_data: Any) -> None:
    from recbole_llmdistill.data.dataset_check import check_catalogue

    check_catalogue(self.config, train_data.dataset.item_num - 1)
    original(self, train_data)


def install() -> None:
    """Extend RecBole's data sets and its collector."""
    extend(Dataset, "_from_scratch", _from_scratch)
    extend(Dataset, "build", _build)
    extend(Collector, "data_collect", _data_collect)
