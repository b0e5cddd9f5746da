"""Matrix products in bfloat16: near float32's result, and weights that stay float32."""

import pytest
import torch
from torch.nn import functional as F

from recbole_llmdistill.model.cpu import matrix_product_type
from recbole_llmdistill.model.recommendation_loss.linear_cross_entropy import linear_cross_entropy

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0}
BFLOAT16_STEP = 2**-8


@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
def test_loss_and_gradients_are_near_those_of_float32(prepare, model: str) -> None:
    results = []
    for precision in ("float32", "bfloat16"):
        prepared = prepare(model, sequence_precision=precision, **NO_DROPOUT)
        prepared.trainer._train_data = prepared.train_data
        prepared.trainer._begin_distillation(prepared.train_data)
        dataset = prepared.train_data._dataset
        torch.manual_seed(0)  # BERT4Rec's masks
        loss = prepared.model.train().calculate_loss(dataset[torch.arange(len(dataset)).numpy()])
        loss.backward()
        gradients = torch.cat([weight.grad.flatten() for weight in prepared.model.parameters()])
        assert loss.dtype == gradients.dtype == torch.float32
        results.append((loss.detach(), gradients))
    (loss, gradients), (near_loss, near_gradients) = results
    torch.testing.assert_close(near_loss, loss, rtol=BFLOAT16_STEP, atol=0)
    assert not torch.equal(near_loss, loss)
    assert F.cosine_similarity(near_gradients, gradients, dim=0) > 0.999


def test_cross_entropy_follows_autocast_and_rounds_the_shares_once() -> None:
    torch.manual_seed(0)
    states, weight = torch.randn(300, 16, requires_grad=True), torch.randn(40, 16, requires_grad=True)
    targets = torch.randint(40, (300,))
    exact = torch.autograd.grad(F.cross_entropy(states @ weight.T, targets), [states, weight])
    with torch.no_grad():  # a share is rounded to 8 bits, half a step of which is 2^-9 of it
        logits = (states.bfloat16() @ weight.bfloat16().T).float()
        shares = logits.softmax(dim=1).bfloat16().float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(states, weight, targets)
    torch.testing.assert_close(loss, -shares[torch.arange(300), targets].log().mean(), rtol=1e-5, atol=0)
    assert abs(loss - F.cross_entropy(logits, targets)) < 2**-9
    for near, right in zip(torch.autograd.grad(loss, [states, weight]), exact, strict=True):
        assert near.dtype == torch.float32
        assert (near - right).norm() < 2 * BFLOAT16_STEP * right.norm()  # of states, weights, logits, shares


def test_in_bfloat16_a_hopeless_target_has_a_finite_loss() -> None:
    torch.manual_seed(0)
    states, weight, targets = 100 * torch.randn(70, 16), torch.randn(30, 16), torch.randint(30, (70,))
    rounded = F.cross_entropy((states.bfloat16() @ weight.bfloat16().T).float(), targets)
    assert rounded > 100
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(states, weight, targets)
    torch.testing.assert_close(loss, rounded, rtol=1e-3, atol=0)


def test_auto_is_what_the_processor_is_good_at(monkeypatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    for supported, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda supported=supported: supported)
        assert matrix_product_type("auto", cpu) == expected
        assert matrix_product_type("float32", cpu) == torch.float32
