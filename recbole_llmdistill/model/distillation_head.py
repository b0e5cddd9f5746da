"""The distillation head: what stage one of training adds to a recommender, and inference never sees."""

from dataclasses import dataclass

import torch
from torch import nn

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.user_vectors import UserProfiles
from recbole_llmdistill.model.distillation_loss import build_distillation_loss
from recbole_llmdistill.model.pooling import build_pooling
from recbole_llmdistill.model.profile_target import Bridge, build_aggregation


@dataclass(frozen=True)
class Distillation:
    """What the head computed for one batch; all scalars, only ``loss`` carries a gradient.

    Attributes:
        loss: L_distil.
        target_spread: root mean square distance of the batch's targets from their mean; near 0 the target has
            collapsed and the student copies a constant.
        users: number of rows with a profile.
    """

    loss: torch.Tensor
    target_spread: torch.Tensor
    users: int


class DistillationHead(nn.Module):
    """Pooling of the states, bridge, aggregation of profiles and loss; holds the profiles of all users.

    Args:
        settings: the run's settings.
        profiles: vectors ``[n_users, K, D]`` and who has them.
        hidden_size: H, size of the recommender's states.
    """

    def __init__(self, settings: DistillationSettings, profiles: UserProfiles, hidden_size: int) -> None:
        super().__init__()
        self.register_buffer("profiles", profiles.vectors, persistent=False)
        self.register_buffer("present", profiles.present, persistent=False)
        self.pooling = build_pooling(settings.distill_pooling, hidden_size, settings.distill_pooling_gamma)
        self.bridge = Bridge(settings.distill_bridge, hidden_size, profiles.vectors.size(-1))
        self.aggregation = build_aggregation(settings.profile_aggregation, self.bridge.target_size)
        self.loss = build_distillation_loss(settings.distill_loss, settings.distill_temperature)

    def forward(self, states: torch.Tensor, real: torch.Tensor, users: torch.Tensor) -> Distillation | None:
        """Compare the pooled ``states [B, L, H]`` (``real [B, L]`` bool) with the profiles of ``users [B]``.

        Rows whose user has no profile are left out of every mean; ``None`` if that leaves no row.
        """
        with_profile = self.present[users].any(dim=1)
        if not with_profile.any():
            return None
        if not with_profile.all():  # picking all of them would cost a copy, and its gradient another
            users, states, real = users[with_profile], states[with_profile], real[with_profile]
        student = self.bridge.student(self.pooling(states, real))
        target = self.aggregation(self.bridge.teacher(self.profiles[users]), self.present[users])
        spread = (target.detach() - target.detach().mean(dim=0)).square().mean().sqrt()
        return Distillation(self.loss(student, target, users), spread, len(users))
