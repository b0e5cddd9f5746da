"""Settings that are written as text are literals, not programs.

Answered line: ``Config._convert_config_dict`` passes every text among ``--key=value`` and the values of ``config_dict``
to ``eval`` (configurator.py 131), so a job file, a search space or a checkpoint could run code, ``--dataset=2019-10``
was 2009, and ``--x=1/0`` a traceback.
"""

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from recbole.config import Config

from recbole_llmdistill.compat.extend import extend

_KEPT = (str, int, float, list, tuple, dict)
_NO_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def literal(text: str) -> Any:
    """The number, text, list, tuple, dictionary, bool or None that ``text`` writes in Python, else ``text`` itself.

    ``true`` and ``false`` are bools in any case.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of a backslash in a path
            value = ast.literal_eval(text)
    except _NO_LITERAL:
        return text
    return value if value is None or isinstance(value, _KEPT) else text


def _convert_config_dict(self: Config, original: Callable, config_dict: Mapping[str, Any]) -> dict[str, Any]:
    return {key: literal(value) if isinstance(value, str) else value for key, value in config_dict.items()}


def install() -> None:
    """Let RecBole's ``Config`` read literals alone."""
    extend(Config, "_convert_config_dict", _convert_config_dict)
