"""The contrastive loss."""

from typing import ClassVar

import torch
from pydantic import Field
from torch.nn import functional as F

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.model.distillation_loss.protocol import DistillationLoss


class ContrastiveOptions(Options):
    """Options of :class:`Contrastive`."""

    distill_temperature: float = Field(0.1, gt=0, description="Temperature of the contrastive loss.")


class Contrastive(DistillationLoss):
    """InfoNCE: each representation has to pick its own user's profile among those of the batch.

    Cosines are divided by the temperature. Rows of the same user are no negatives of each other, since a long history
    gives several rows.
    """

    name = "contrastive"
    title = "InfoNCE over the batch"
    Options: ClassVar[type[Options]] = ContrastiveOptions

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """``student``, ``target [B, D]``, ``users [B]`` -> scalar."""
        cosines = F.normalize(student, dim=-1) @ F.normalize(target, dim=-1).T
        logits = cosines / self.options.distill_temperature
        same_user = users.unsqueeze(0) == users.unsqueeze(1)
        same_user.fill_diagonal_(False)
        own = torch.arange(len(users), device=users.device)
        return F.cross_entropy(logits.masked_fill(same_user, torch.finfo(logits.dtype).min), own)
