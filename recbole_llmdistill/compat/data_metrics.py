"""Metrics that need to know the data set: ItemCoverage, GiniIndex, AveragePopularity, TailPercentage.

Answered line: ``Collector.get_data_struct`` calls ``.cpu()`` of everything it has collected (collector.py 226), the
number of items and the items' counts among them, which are no tensors; so RecBole 1.2.1 ends with an AttributeError.
"""

from collections.abc import Callable

import torch
from recbole.evaluator.collector import Collector, DataStruct

from recbole_llmdistill.compat.extend import extend


def _get_data_struct(self: Collector, original: Callable) -> DataStruct:
    collected = self.data_struct._data_dict
    of_data_set = {name: value for name, value in collected.items() if not isinstance(value, torch.Tensor)}
    for name in of_data_set:
        del collected[name]
    struct = original(self)
    for name, value in of_data_set.items():
        self.data_struct.set(name, value)
        struct.set(name, value)
    return struct


def install() -> None:
    """Extend RecBole's collector."""
    extend(Collector, "get_data_struct", _get_data_struct)
