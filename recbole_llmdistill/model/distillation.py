"""The method, from top to bottom: pool, bridge, compare, weigh.

While it distils, training minimises (paper, equation of the total loss)

    L = alpha * beta * L_distil(U p, e) + (1 - alpha) * L_rec

where p is a user's representation, pooled from the states of one layer (:class:`MeanPooling` and its siblings); U is
the bridge to the size of the profile vector e (:class:`Bridge`); several vectors per user are brought together first
(:func:`build_aggregation`); L_distil compares both sides (:mod:`recbole_llmdistill.model.distillation_loss`, a module
each); beta keeps both losses on one scale (:func:`total_loss`). All of this is training's: inference has no part of it
(:class:`DistillationHead`). The first ``distill_epochs`` epochs are stage one, with the total loss, the rest stage two,
with L_rec alone: :class:`~recbole_llmdistill.training.trainer.DistillationTrainer` leads from one to the other.
"""

from dataclasses import dataclass

import torch
from torch import nn

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.user_vectors import UserVectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation_loss.protocol import LOSSES


class MeanPooling(nn.Module):
    """Plain mean of the states at real positions."""

    def forward(self, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """``states [B, L, H]``, ``real [B, L]`` bool with padding on the right -> ``[B, H]``."""
        return weighted_mean(states, real.to(states.dtype))


class ExponentialPooling(nn.Module):
    """weight_t = exp(gamma t) / sum_j exp(gamma j), t counted over real positions: the newest weighs most.

    Args:
        gamma: growth per position.
    """

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """``states [B, L, H]``, ``real [B, L]`` -> ``[B, H]``."""
        steps = torch.arange(real.size(1), device=states.device, dtype=states.dtype)
        scores = (self.gamma * steps).expand_as(real)
        return weighted_mean(states, _masked_softmax(scores, real))


class AttentionPooling(nn.Module):
    """weight_t = softmax_t(w . h_t + b) over real positions, w and b learned.

    Args:
        hidden_size: H.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.score = nn.Linear(hidden_size, 1)

    def forward(self, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """``states [B, L, H]``, ``real [B, L]`` -> ``[B, H]``."""
        return weighted_mean(states, _masked_softmax(self.score(states).squeeze(-1), real))


class LastPooling(nn.Module):
    """State of the newest item, h_m."""

    def forward(self, states: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """``states [B, L, H]``, ``real [B, L]`` -> ``[B, H]``."""
        newest = (real.sum(dim=1) - 1).clamp(min=0)
        return states[torch.arange(len(states), device=states.device), newest]


POOLINGS = ("mean", "exponential", "attention", "last")
"""Poolings of the states of a sequence."""


def build_pooling(name: str, hidden_size: int, gamma: float) -> nn.Module:
    """Pooling of the config value ``distill_pooling``; ``output``, the model's own user vector, comes as one state."""
    if name == "exponential":
        return ExponentialPooling(gamma)
    if name == "attention":
        return AttentionPooling(hidden_size)
    return {"mean": MeanPooling, "last": LastPooling, "output": LastPooling}[name]()


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``values [B, N, H]`` averaged with ``weights [B, N]`` (of any sum) -> ``[B, H]``; 0 without weight."""
    total = weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)
    return torch.einsum("bnh,bn->bh", values, weights / total)


def _masked_softmax(scores: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=1) * real


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
    """Aggregation of several profiles per user, config value ``vectors_aggregation``: mean, or attention over the K."""
    return AttentionPooling(size) if name == "attention" else MeanAggregation()


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

    profiles: torch.Tensor
    present: torch.Tensor

    def __init__(self, settings: DistillationSettings, profiles: UserVectors, hidden_size: int) -> None:
        super().__init__()
        self.register_buffer("profiles", profiles.vectors, persistent=False)
        self.register_buffer("present", profiles.present, persistent=False)
        self.pooling = build_pooling(settings.distill_pooling, hidden_size, settings.distill_pooling_gamma)
        self.bridge = Bridge(settings.distill_bridge, hidden_size, profiles.vectors.size(-1))
        self.aggregation = build_aggregation(settings.vectors_aggregation, self.bridge.target_size)
        self.loss = LOSSES.parts()[settings.distill_loss](settings.loss_options)

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


def total_loss(
    recommendation_loss: torch.Tensor, distillation_loss: torch.Tensor, settings: DistillationSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of stage one, alpha * beta * L_distil + (1 - alpha) * L_rec.

    Args:
        recommendation_loss: L_rec, a scalar.
        distillation_loss: L_distil, a scalar.
        settings: ``distill_alpha``; ``distill_dynamic_beta`` and ``distill_beta_cap``.

    Returns:
        The loss, and beta: L_rec / L_distil of this batch, a constant for the gradient, at most the cap; or 1.
    """
    beta = torch.ones_like(recommendation_loss.detach())
    if settings.distill_dynamic_beta:
        divisor = distillation_loss.detach().clamp(min=torch.finfo(distillation_loss.dtype).tiny)
        beta = (recommendation_loss.detach() / divisor).clamp(max=settings.distill_beta_cap)
    alpha = settings.distill_alpha
    return alpha * beta * distillation_loss + (1 - alpha) * recommendation_loss, beta
