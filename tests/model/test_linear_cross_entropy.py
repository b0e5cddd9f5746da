"""The chunked cross-entropy against PyTorch's, value and gradients."""

import pytest
import torch
from torch.nn import functional as F

from recbole_llmdistill.model.recommendation_loss import linear_cross_entropy as module
from recbole_llmdistill.model.recommendation_loss.linear_cross_entropy import linear_cross_entropy


def inputs(rows: int, items: int, with_bias: bool, scale: float = 1.0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    states = (scale * torch.randn(rows, 16, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(items, 16, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(items, dtype=torch.float64, requires_grad=True) if with_bias else None
    return states, weight, torch.randint(items, (rows,)), bias


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("rows", [1, 64, 65, 300])
def test_loss_and_gradients_are_those_of_cross_entropy(rows: int, with_bias: bool, monkeypatch) -> None:
    monkeypatch.setattr(module, "_CPU_BYTES", 1)
    monkeypatch.setattr(module, "_FEWEST_ROWS", 64)  # several chunks of that size
    states, weight, targets, bias = inputs(rows, 30, with_bias)
    wanted = [values for values in (states, weight, bias) if values is not None]
    logits = states @ weight.T if bias is None else states @ weight.T + bias
    expected = F.cross_entropy(logits, targets)
    expected_gradients = torch.autograd.grad(3 * expected, wanted)
    loss = linear_cross_entropy(states, weight, targets, bias)
    torch.testing.assert_close(loss, expected)
    for gradient, right in zip(torch.autograd.grad(3 * loss, wanted), expected_gradients, strict=True):
        torch.testing.assert_close(gradient, right)


def test_a_hopeless_target_has_a_finite_loss() -> None:
    # Its probability underflows even in double precision.
    states, weight, targets, _ = inputs(70, 30, with_bias=False, scale=1000.0)
    expected = F.cross_entropy(states @ weight.T, targets)
    assert expected > 800
    torch.testing.assert_close(linear_cross_entropy(states, weight, targets), expected)


def test_it_needs_no_gradient() -> None:
    states, weight, targets, bias = inputs(10, 30, with_bias=True)
    with torch.no_grad():
        loss = linear_cross_entropy(states, weight, targets, bias)
    torch.testing.assert_close(loss, F.cross_entropy(states @ weight.T + bias, targets).detach())


def test_the_mean_over_nothing_is_zero() -> None:
    states, weight, targets, bias = inputs(0, 30, with_bias=True)
    loss = linear_cross_entropy(states, weight, targets, bias)
    loss.backward()
    assert loss == 0
    assert not weight.grad.any()
