"""What a trained model costs: memory, parameters, time to answer."""

import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

_REPEATS, _SECONDS = 30, 3.0


def peak_memory() -> float:
    """Highest resident memory of this process so far, MiB.

    Linux hands ``ru_maxrss`` on from the process that started this one, so its own peak is read where it is told.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def peak_gpu_memory() -> float | None:
    """Highest memory that tensors took on the GPU, MiB; None without one."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


def count_parameters(model: torch.nn.Module) -> int:
    """Trained numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@torch.no_grad()
def inference_latency(trainer: Any, test_data: Any, users: int) -> float:
    """Median milliseconds to score all items for a batch of ``users`` test users.

    Args:
        trainer: a RecBole trainer that has evaluated.
        test_data: its full-sort loader; its users are repeated where they are fewer.
        users: size of the batch.
    """
    batch = test_data.collate_fn([row % test_data.sample_size for row in range(users)])
    times: list[float] = []
    trainer.model.eval()
    while (len(times) < _REPEATS + 1 and sum(times) < _SECONDS) or len(times) < 3:
        start = time.perf_counter()
        trainer._full_sort_batch_eval(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])  # the first one warms up
