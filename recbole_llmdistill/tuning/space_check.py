"""Whether a model knows what a space wants to search."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recbole_llmdistill.config.identity import NOTHING
from recbole_llmdistill.config.settings import DistillationSettings, fields
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.registry import MODELS
from recbole_llmdistill.tuning.space import Space

# With another value of these a trial would be measured by something else, or would not be this search's.
FIXED_KEYS = frozenset(
    {
        *("model", "dataset", "data_path", "benchmark_filename", "eval_args", "repeatable", "eval_step"),
        "eval_exclude_seen",
        *("metrics", "topk", "valid_metric", "valid_metric_bigger", "metric_decimal_place"),
        *NOTHING,
    }
)


def shipped_space(model: str) -> Path:
    """The space of a model that this package brings along: its own, or that of all distilled models.

    Raises:
        InputError: there is none.
    """
    path = properties("search", f"{model}.yaml")
    if path.is_file():
        return path
    if model not in MODELS:
        raise InputError(f"no search space comes with {model} (only with distilled models); give one by --space=FILE")
    return properties("search", "students.yaml")


def check_space(space: Space, path: Path, config: Any, on_command_line: Mapping[str, Any]) -> None:
    """Refuse what the model does not know, what must not be searched, and values that cannot be.

    Args:
        space: to be checked.
        path: its file, for messages.
        config: RecBole config of the model.
        on_command_line: settings that the user fixed there.

    Raises:
        InputError: names the file, the setting, and the nearest known one.
    """
    known = config.final_config_dict
    for key, distribution in space.distributions.items():
        if key in FIXED_KEYS:
            raise InputError(f"{path}: {key} cannot be searched: all trials are measured alike; set it by --{key}=...")
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=3)
            raise InputError(
                f"{path}: unknown setting {key!r} of {config['model']}; "
                + (f"nearest: {', '.join(nearest)}" if nearest else "no known one is similar")
            )
        if key in on_command_line:
            raise InputError(
                f"--{key}={on_command_line[key]}: {path} searches {key}; take it out of the space, or off the "
                "command line"
            )
        if config["model"] in MODELS and key in fields():
            for value in distribution.extremes():
                _check_value(path, key, value, known)


def _check_value(path: Path, key: str, value: Any, known: Mapping[str, Any]) -> None:
    try:
        DistillationSettings.from_config({**known, key: value})
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
