"""What a distillation loss is. Another one is one module in this folder, with a :class:`DistillationLoss`."""

from typing import Any

import torch
from torch import nn

from recbole_llmdistill.parts import Kind, Part


class DistillationLoss(Part, nn.Module):
    """L_distil, a module; it declares what :class:`~recbole_llmdistill.parts.Part` says.

    The fields of its ``Options`` are settings as those of :mod:`recbole_llmdistill.config.settings` are, so their names
    begin with ``distill_``.

    Args:
        options: an instance of ``Options``.
    """

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, student: torch.Tensor, target: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        """Loss of a batch, a scalar that is finite and has a finite gradient.

        Args:
            student: user representations, ``[B, D]``.
            target: profile vectors of these users, ``[B, D]``.
            users: RecBole's ids of the users, ``[B]``; a user may have several rows.
        """
        raise NotImplementedError


LOSSES = Kind("recbole_llmdistill.model.distillation_loss", DistillationLoss, "distill_loss", "distillation loss")
