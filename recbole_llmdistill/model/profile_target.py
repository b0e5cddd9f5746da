"""From the profile vectors of a batch of users to the two sides that the distillation loss compares."""

import torch
from torch import nn

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.pooling import AttentionPooling, weighted_mean


class Bridge(nn.Module):
    """Bring user representation and profile to one size.

    ``up``: U maps the representation to the profile's size, and the target stands still. ``down``: T maps the
    profile to the hidden size; T is trained with the student, so the target can shrink towards a constant.
    ``none``: both have one size already.

    Args:
        direction: ``up``, ``down`` or ``none``.
        hidden_size: H, size of the user representation.
        profile_size: D, size of a profile vector.

    Raises:
        InputError: ``none`` with unequal sizes.
    """

    def __init__(self, direction: str, hidden_size: int, profile_size: int) -> None:
        super().__init__()
        if direction == "none" and hidden_size != profile_size:
            raise InputError(
                f"distill_bridge='none' needs profiles of hidden_size={hidden_size} dimensions, but they have "
                f"{profile_size}; set distill_bridge=up or reduce the profiles to {hidden_size}"
            )
        self.student = nn.Linear(hidden_size, profile_size) if direction == "up" else nn.Identity()
        self.teacher = nn.Linear(profile_size, hidden_size) if direction == "down" else nn.Identity()
        self.target_size = hidden_size if direction == "down" else profile_size


class MeanAggregation(nn.Module):
    """Mean of the profiles that a user has."""

    def forward(self, profiles: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """``profiles [B, K, D]``, ``present [B, K]`` bool -> ``[B, D]``."""
        return weighted_mean(profiles, present.to(profiles.dtype))


def build_aggregation(name: str, size: int) -> nn.Module:
    """Aggregation of several profiles a user, config value ``profile_aggregation``: mean, or attention over the K."""
    return AttentionPooling(size) if name == "attention" else MeanAggregation()
