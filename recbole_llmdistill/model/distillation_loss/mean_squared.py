"""Losses of the squared difference."""

import torch
from torch.nn import functional as F

from recbole_llmdistill.model.distillation_loss.protocol import DistillationLoss


class MeanSquaredError(DistillationLoss):
    """Mean over users and dimensions of the squared difference."""

    name = "mse"
    title = "mean squared error, the paper's loss"

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        return F.mse_loss(student, target)


class RootMeanSquaredError(DistillationLoss):
    """Square root of :class:`MeanSquaredError`."""

    name = "rmse"
    title = "its square root"

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        # The root's slope is infinite at 0; the smallest normal number keeps the gradient finite there.
        return (F.mse_loss(student, target) + torch.finfo(student.dtype).tiny).sqrt()
