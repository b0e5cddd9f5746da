"""Pooling against loops over the real positions of each sequence."""

import math

import pytest
import torch

from recbole_llmdistill.model.distillation import build_pooling

LENGTHS = [5, 1, 3]


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """States ``[3, 5, 4]`` padded on the right with large values, and which positions are real."""
    states = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    real = torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1)
    return torch.where(real.unsqueeze(-1), states, 1e6), real


def by_hand(states: torch.Tensor, weight) -> torch.Tensor:
    """Weighted mean of each sequence's real states, one position after the other."""
    rows = []
    for row, length in zip(states, LENGTHS, strict=True):
        weights = [weight(t, row[t]) for t in range(length)]
        rows.append(sum(w * row[t] for t, w in enumerate(weights)) / sum(weights))
    return torch.stack(rows)


def test_mean(batch) -> None:
    pooled = build_pooling("mean", 4, 0.1)(*batch)
    torch.testing.assert_close(pooled, by_hand(batch[0], lambda t, h: 1.0))


@pytest.mark.parametrize("gamma", [0.1, -0.5, 2.0])
def test_exponential(batch, gamma: float) -> None:
    pooled = build_pooling("exponential", 4, gamma)(*batch)
    torch.testing.assert_close(pooled, by_hand(batch[0], lambda t, h: math.exp(gamma * t)))


def test_exponential_weighs_the_newest_item_most() -> None:
    states = torch.eye(3).unsqueeze(0)
    pooled = build_pooling("exponential", 3, 0.1)(states, torch.ones(1, 3, dtype=torch.bool))[0]
    assert pooled[2] > pooled[1] > pooled[0]


def test_attention(batch) -> None:
    pooling = build_pooling("attention", 4, 0.1)
    score = pooling.score
    weight = score.weight.detach()[0]
    expected = by_hand(batch[0], lambda t, h: math.exp(float(weight @ h + score.bias.detach())))
    torch.testing.assert_close(pooling(*batch), expected)


def test_last(batch) -> None:
    states, real = batch
    expected = torch.stack([states[row, length - 1] for row, length in enumerate(LENGTHS)])
    torch.testing.assert_close(build_pooling("last", 4, 0.1)(states, real), expected)


@pytest.mark.parametrize("name", ["mean", "exponential", "attention", "last"])
def test_padding_changes_nothing(batch, name: str) -> None:
    states, real = batch
    pooling = build_pooling(name, 4, 0.1)
    other_padding = torch.where(real.unsqueeze(-1), states, -3e5)
    torch.testing.assert_close(pooling(states, real), pooling(other_padding, real))


@pytest.mark.parametrize("name", ["mean", "exponential", "attention", "last"])
def test_a_sequence_without_items_gives_no_nan(name: str) -> None:
    pooled = build_pooling(name, 4, 0.1)(torch.randn(1, 5, 4), torch.zeros(1, 5, dtype=torch.bool))
    assert torch.isfinite(pooled).all()
