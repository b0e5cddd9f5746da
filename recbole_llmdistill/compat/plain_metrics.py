"""Metrics are Python's floats, so that a log and a program's output show ``0.1442``.

Answered line: the metrics round NumPy's means (``metric_dict[key] = round(...)``, base_metric.py 80), and NumPy 2 shows
such a value as ``np.float64(0.1442)``: in the last two lines of every run, in exceptions, in lists and dictionaries.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from recbole.evaluator.evaluator import Evaluator

from recbole_llmdistill.compat.extend import extend


def _evaluate(self: Evaluator, original: Callable, *args: Any) -> OrderedDict[str, Any]:
    result = original(self, *args)
    for name, value in result.items():
        if isinstance(value, np.generic):
            result[name] = value.item()
    return result


def install() -> None:
    """Extend RecBole's evaluator, through which all trainers get their results."""
    extend(Evaluator, "evaluate", _evaluate)
