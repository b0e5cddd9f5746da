"""Evaluation in parallel processes (``--nproc``) that gives the numbers of one process.

Answered lines: the sampler that deals the rows out among processes repeats some until all have equally many
(abstract_dataloader.py 60), so some users count twice; each process rounds its own metrics, and ``Trainer._map_reduce``
weights them by numbers of batches, not of users (trainer.py 615, 638). Metrics that are no mean over users, such as
coverage and the Gini index, cannot be averaged at all. Here no row is repeated, and every process evaluates the
collected top-k lists of all of them; the weighted mean of equal numbers that RecBole then takes changes nothing. The
sampler of training rows also gets the run's seed: RecBole leaves it at 0.
"""

from collections.abc import Callable
from typing import Any

import torch
from recbole.data.dataloader import AbstractDataLoader, FullSortEvalDataLoader, NegSampleEvalDataLoader
from recbole.evaluator.collector import Collector, DataStruct
from torch import distributed
from torch.utils.data.distributed import DistributedSampler

from recbole_llmdistill.compat.extend import extend

# What a Collector gathers a row an evaluated user, and empties in get_data_struct (collector.py 229).
_ROWS = ("rec.topk", "rec.meanrank", "rec.score", "rec.items", "data.label")


def _init_loader(self: AbstractDataLoader, original: Callable, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    if not isinstance(self.sampler, DistributedSampler):
        return
    self.sampler.seed = self.config["seed"]
    if isinstance(self, (FullSortEvalDataLoader, NegSampleEvalDataLoader)):  # training must have equally many batches
        self.sampler.total_size = self.sample_size
        self.sampler.num_samples = len(range(self.sampler.rank, self.sample_size, self.sampler.num_replicas))


def _get_data_struct(self: Collector, original: Callable) -> DataStruct:
    struct = original(self)
    if self.config["single_spec"]:
        return struct
    here = {name: struct.get(name) for name in _ROWS if name in struct}
    parts: list[dict[str, torch.Tensor]] = [{}] * distributed.get_world_size()
    distributed.all_gather_object(parts, here)
    for name in {name for part in parts for name in part}:
        struct.set(name, torch.cat([part[name] for part in parts if name in part]))
    return struct


def install() -> None:
    """Extend RecBole's loaders and its collector."""
    extend(AbstractDataLoader, "__init__", _init_loader)
    extend(Collector, "get_data_struct", _get_data_struct)
