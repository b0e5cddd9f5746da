"""Settings that nobody reads: RecBole takes any key, so a misspelt one leaves the default in force without a word."""

import difflib
import functools
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import recbole
from recbole.config import Config
from recbole.utils import argument_list

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.messages import warn_once

# Read by RecBole, or by `run_recbole`, without a default in any of its files.
_WITHOUT_DEFAULT = {
    *("model", "dataset", "config_files", "nproc", "ip", "port", "world_size", "offset", "group_offset", "local_rank"),
    *("encoding", "neg_sampling", "training_neg_sample_num", "device", "single_spec", "MODEL_TYPE"),
}
_MISSPELT = 0.8  # likeness from which on a key is taken for another one


def check_known(config: Config, keys: Iterable[str]) -> None:
    """Refuse those of ``keys`` that look like a setting and are none; warn once of others that nobody reads.

    A setting of another model is told on the command line alone: a file or a dictionary may serve several models.

    Args:
        config: RecBole's config, whose defaults have been loaded.
        keys: what the user gave.

    Raises:
        InputError: with the nearest setting.
    """
    known = _WITHOUT_DEFAULT.union(config.internal_config_dict, *_argument_lists())
    unknown = [key for key in keys if key not in known]
    if not unknown:
        return
    known |= _read_by(config.model_class)
    for key in unknown:
        if key in known:
            continue
        if key in _of_other_models():
            if key in config.cmd_config_dict:
                warn_once(f"{key} is a setting of other models; {config.model} does not read it{_hint(key, known)}")
            continue
        refuse_misspelt(key, known)
        warn_once(
            f"{key} is no setting of RecBole, of {config.model} or of this package; nothing reads it{_hint(key, known)}"
        )


def refuse_misspelt(key: str, known: Iterable[str], where: str = "") -> None:
    """Refuse ``key`` if it looks like one of ``known``.

    Raises:
        InputError: begins with ``where`` and names the nearest.
    """
    if nearest := difflib.get_close_matches(key, known, n=1, cutoff=_MISSPELT):
        raise InputError(f"{where}unknown setting {key!r}: did you mean {nearest[0]!r}?")


def _hint(key: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    return f" (nearest: {nearest[0]})" if nearest else ""


def _argument_lists() -> list[list[str]]:
    return [value for name, value in vars(argument_list).items() if name.endswith("_arguments")]


def _read_by(model_class: type) -> set[str]:
    """Keys in the source of a model: what a model of a user's own reads, and some of RecBole's, has no default."""
    keys: set[str] = set()
    for part in model_class.__mro__:
        module = sys.modules.get(part.__module__)
        if module is None or part.__module__.partition(".")[0] in ("builtins", "torch"):
            continue
        try:
            keys.update(re.findall(r"""config(?:\.get\(|\[)["']([^"']+)["']""", inspect.getsource(module)))
        except (OSError, TypeError):  # no source: typed in by hand
            continue
    return keys


@functools.cache
def _of_other_models() -> frozenset[str]:
    """Settings in the defaults of any model of RecBole's or ours."""
    folder = Path(recbole.__file__).parent / "properties"
    files = [
        *folder.glob("model/*.yaml"),
        *folder.glob("quick_start_config/*.yaml"),
        *properties("model").glob("*.yaml"),
    ]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return frozenset(key for text in texts for key in re.findall(r"^([\w-]+):", text, re.MULTILINE))
