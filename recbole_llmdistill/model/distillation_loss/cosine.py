"""The loss of directions."""

import torch
from torch.nn import functional as F

from recbole_llmdistill.model.distillation_loss.protocol import DistillationLoss


class CosineDistance(DistillationLoss):
    """Mean over users of 1 - cosine."""

    name = "cosine"
    title = "1 - cosine"

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        return (1 - F.cosine_similarity(student, target, dim=-1)).mean()
