"""Settings that had another name: the old one is understood until release 0.2, with a hint."""

from collections.abc import Mapping
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import warn_once

NEW_NAMES = {
    "train_sequences": "sequence_training",
    "distill_rec_loss": "sequence_loss",
    "distill_negatives": "sequence_negatives",
    "distill_gbce_calibration": "sequence_gbce_calibration",
    "distill_popularity_smoothing": "sequence_popularity_smoothing",
    "distill_window_overlap": "sequence_window_overlap",
    "distill_window_shift": "sequence_window_shift",
    "distill_precision": "sequence_precision",
    "distill_data_cache": "sequence_data_cache",
    "profile_path": "vectors_path",
    "profile_min_coverage": "vectors_min_coverage",
    "profile_standardize": "vectors_standardize",
    "profile_aggregation": "vectors_aggregation",
    "profile_control": "vectors_control",
}
"""Old name -> new name."""


def renamed(settings: Mapping[str, Any], where: str = "", hint: bool = True) -> dict[str, Any]:
    """The settings under their new names, in the same order.

    Args:
        settings: from one source, e.g. a file.
        where: begins the message, e.g. with the file's name.
        hint: say that a name is old; false for what a program wrote.

    Raises:
        InputError: a setting is given under both names, with two values.
    """
    now: dict[str, Any] = {}
    for key, value in settings.items():
        name = NEW_NAMES.get(key, key)
        other = settings.get(name, value)
        if name != key and other != value:
            raise InputError(f"{where}{key}={value!r} and {name}={other!r} are one setting, {name}; leave {key} out")
        if name != key and hint:
            warn_once(f"{where}{key} is now called {name}; the old name is understood until release 0.2")
        now[name] = value
    return now
