"""RecBole's own sequential data set beside ours, compared field by field."""

import copy
import warnings
from functools import lru_cache

import numpy as np
from recbole.config import Config
from recbole.data.dataset import SequentialDataset

from recbole_llmdistill.data.dataset import CausalSequenceDataset


@lru_cache
def base_config(dataset: str, data_path: str) -> Config:
    """One config a data set: making it costs more than the data sets of these tests."""
    settings = {
        "sequence_training": "prefix",
        "train_neg_sample_args": None,
        "state": "CRITICAL",
        "data_path": data_path,
    }
    return Config("SASRecDistill", dataset, config_dict=settings)


def both_outcomes(dataset: str, data_path: str, settings: dict) -> tuple:
    """What RecBole and what we make of a data set: its three parts, or the error that stops it."""
    config = copy.deepcopy(base_config(dataset, data_path))
    config.final_config_dict.update(settings)
    return tuple(outcome(kind, config) for kind in (SequentialDataset, CausalSequenceDataset))


def outcome(kind: type, config: Config) -> tuple:
    """The data set and its parts, or None and what was raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = kind(config)
            return dataset, dataset.build()
    except Exception as error:
        return None, error


def assert_equal(expected: tuple, found: tuple) -> None:
    """Ids, field properties and rows of all parts are the same; or both end in the same error."""
    if expected[0] is None:
        assert found[0] is None, f"RecBole raises {expected[1]!r}, ours nothing"
        assert type(found[1]) is type(expected[1]), f"RecBole raises {expected[1]!r}, ours {found[1]!r}"
        return
    assert found[0] is not None, f"ours raises {found[1]!r}, RecBole nothing"
    for name in ("field2type", "field2source", "field2seqlen", "field2bucketnum", "field2token_id"):
        assert getattr(found[0], name) == getattr(expected[0], name), name
    for field, tokens in expected[0].field2id_token.items():
        assert tokens.dtype == found[0].field2id_token[field].dtype
        assert (tokens == found[0].field2id_token[field]).all()
    for name in ("user_feat", "item_feat"):
        if getattr(expected[0], name) is not None:
            assert_same_columns(getattr(expected[0], name), getattr(found[0], name))
    for part, (reference, ours) in enumerate(zip(expected[1], found[1], strict=True)):
        assert len(ours) == len(reference), f"part {part}"
        rows = np.arange(len(reference))
        assert_same_columns(reference[rows], ours[rows])


def assert_same_columns(expected, found) -> None:
    assert set(found.columns) == set(expected.columns)
    for column in expected.columns:
        assert found[column].dtype == expected[column].dtype, column
        np.testing.assert_array_equal(found[column].numpy(), expected[column].numpy(), err_msg=column)
