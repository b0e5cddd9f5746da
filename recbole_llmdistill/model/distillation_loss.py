"""L_distil: how far the user representations of a batch are from their profiles."""

import torch
from torch import nn
from torch.nn import functional as F


class MeanSquaredError(nn.Module):
    """Mean over users and dimensions of the squared difference."""

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        return F.mse_loss(student, target)


class RootMeanSquaredError(nn.Module):
    """Square root of :class:`MeanSquaredError`."""

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        # The root's slope is infinite at 0; the smallest normal number keeps the gradient finite there.
        return (F.mse_loss(student, target) + torch.finfo(student.dtype).tiny).sqrt()


class CosineDistance(nn.Module):
    """Mean over users of 1 - cosine."""

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        return (1 - F.cosine_similarity(student, target, dim=-1)).mean()


class Contrastive(nn.Module):
    """InfoNCE: each representation has to pick its own user's profile among those of the batch.

    Rows of the same user are no negatives of each other, since a long history gives several rows.

    Args:
        temperature: divisor of the cosines.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        logits = F.normalize(student, dim=-1) @ F.normalize(target, dim=-1).T / self.temperature
        same_user = users.unsqueeze(0) == users.unsqueeze(1)
        same_user.fill_diagonal_(False)
        own = torch.arange(len(users), device=users.device)
        return F.cross_entropy(logits.masked_fill(same_user, torch.finfo(logits.dtype).min), own)


def build_distillation_loss(name: str, temperature: float) -> nn.Module:
    """Loss of the config value ``distill_loss``."""
    if name == "contrastive":
        return Contrastive(temperature)
    return {"mse": MeanSquaredError, "rmse": RootMeanSquaredError, "cosine": CosineDistance}[name]()
