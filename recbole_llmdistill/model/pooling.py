"""Pool the states of a sequence into one user representation, over its real positions alone."""

import torch
from torch import nn


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


def build_pooling(name: str, hidden_size: int, gamma: float) -> nn.Module:
    """Pooling of the config value ``distill_pooling``."""
    if name == "exponential":
        return ExponentialPooling(gamma)
    if name == "attention":
        return AttentionPooling(hidden_size)
    return {"mean": MeanPooling, "last": LastPooling}[name]()


def weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``values [B, N, H]`` averaged with ``weights [B, N]`` (of any sum) -> ``[B, H]``; 0 without weight."""
    total = weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)
    return torch.einsum("bnh,bn->bh", values, weights / total)


def _masked_softmax(scores: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=1) * real
