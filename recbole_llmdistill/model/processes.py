"""Losses of a batch that several processes share (``--nproc``): the mean over all its elements, not of the means."""

import torch
from torch import distributed


def mean_over_processes(mean: torch.Tensor, count: int) -> tuple[torch.Tensor, int]:
    """Mean over the elements of all processes, from this process's mean over ``count`` elements.

    Parallel training averages the processes' gradients, but how many training targets a process holds differs from
    batch to batch, so the mean of their means is not the mean over the whole batch. The result's value is the latter,
    the same in every process, and its gradient is this process's part of it times the number of processes, which the
    averaging divides by again. Alone, a process gets back what it gave.

    Args:
        mean: scalar, of any value where ``count`` is 0.
        count: number of elements here.

    Returns:
        The mean, 0 over no element, and the number of elements in all processes.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return mean, count
    sums = torch.stack([mean.detach().double() * count, mean.new_tensor(count, dtype=torch.float64)])
    distributed.all_reduce(sums)
    total = max(int(sums[1]), 1)
    part = mean * (count * distributed.get_world_size() / total)
    return part + ((sums[0] / total).to(mean.dtype) - part).detach(), int(sums[1])
