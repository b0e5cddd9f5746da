"""The fast layers compute what the layers they replace compute."""

import pytest
import torch
from recbole.model.layers import FeedForward, TransformerEncoder
from torch import nn

from recbole_llmdistill.model.cpu import ByteDropout, FusedGelu, RandomBytes, use_fast_layers


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.9])
def test_share_and_expectation_of_dropout(p: float) -> None:
    torch.manual_seed(0)
    values = torch.full((1000, 1001), 3.0)  # an odd size, not a multiple of the 8 bytes of a random word
    dropped = ByteDropout(p, RandomBytes())(values)
    share = (dropped == 0).double().mean()
    tolerance = 1 / 512 + 5 * (p * (1 - p) / values.numel()) ** 0.5  # shares are multiples of 1/256
    assert abs(share - p) < tolerance
    assert dropped.double().mean() == pytest.approx(3.0, rel=0.02)
    kept = dropped[dropped != 0]
    assert kept.unique().numel() == 1


def test_dropout_is_independent_between_elements_and_calls() -> None:
    torch.manual_seed(0)
    layer, values = ByteDropout(0.5, RandomBytes()), torch.ones(1000, 1000)
    first, second = layer(values) == 0, layer(values) == 0
    tolerance = 5 * (0.25 * 0.75 / 1e6) ** 0.5
    for other in (second, first.roll(1, 0), first.roll(1, 1), first.roll(8, 1)):
        assert abs((first & other).double().mean() - 0.25) < tolerance


def test_dropout_repeats_with_the_seed_and_scales_its_gradient() -> None:
    layer, values = ByteDropout(0.5, RandomBytes()), torch.ones(100, 100, requires_grad=True)
    torch.manual_seed(3)
    first = layer(values)
    torch.manual_seed(3)
    assert torch.equal(first, layer(values))
    first.sum().backward()
    assert torch.equal(values.grad, first.detach())  # of ones: the mask times its scale


def test_dropout_does_nothing_in_evaluation_or_at_zero() -> None:
    values = torch.randn(10, 10)
    assert torch.equal(ByteDropout(0.5, RandomBytes()).eval()(values), values)
    assert torch.equal(ByteDropout(0.0, RandomBytes())(values), values)


def test_gelu_is_recboles_in_evaluation_and_equal_in_training() -> None:
    values = torch.linspace(-6, 6, 1001)
    block = FeedForward(4, 8, 0.0, "gelu", 1e-12)
    layer = FusedGelu(block.gelu)
    torch.testing.assert_close(layer.train()(values), block.gelu(values), atol=1e-6, rtol=1e-5)
    assert torch.equal(layer.eval()(values), block.gelu(values))


def test_exchanging_layers_changes_no_parameter() -> None:
    model = nn.ModuleDict({"block": FeedForward(4, 8, 0.3, "gelu", 1e-12), "drop": nn.Dropout(0.2)})
    before = set(model.state_dict())
    use_fast_layers(model)
    assert set(model.state_dict()) == before
    assert [m.p for m in model.modules() if isinstance(m, ByteDropout)] == [0.3, 0.2]
    assert not [m for m in model.modules() if type(m) is nn.Dropout]


def test_another_activation_stays() -> None:
    block = FeedForward(4, 8, 0.0, "swish", 1e-12)
    use_fast_layers(block)
    assert not isinstance(block.intermediate_act_fn, FusedGelu)


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])
def test_switched_off_they_are_recboles_own_and_compute_the_same(prepare, monkeypatch, name: str) -> None:
    without_chance = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "sequence_precision": "float32"}
    fast, plain = (prepare(name, **without_chance, sequence_fast_layers=chosen) for chosen in (True, False))
    plain.model.load_state_dict(fast.model.state_dict())
    calls = []
    own = TransformerEncoder.forward
    monkeypatch.setattr(TransformerEncoder, "forward", lambda *args, **kwargs: calls.append(1) or own(*args, **kwargs))
    batch = next(iter(fast.train_data))
    losses = []
    for prepared in (fast, plain):
        torch.manual_seed(0)
        loss = prepared.model.train().calculate_loss(batch)
        loss.backward()
        losses.append(loss.detach())
    assert calls == [1]  # RecBole's encoder ran for the plain one alone
    assert not [module for module in plain.model.modules() if isinstance(module, (ByteDropout, FusedGelu))]
    assert [prepared.trainer.optimizer.defaults["fused"] for prepared in (fast, plain)] == [True, None]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-6)
    for (key, one), other in zip(fast.model.named_parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6, msg=key)


def test_training_without_them_ends_where_training_with_them_does(prepare) -> None:
    without_chance = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "sequence_precision": "float32"}
    scores = []
    for chosen in (True, False):
        prepared = prepare(**without_chance, sequence_fast_layers=chosen, epochs=2)
        prepared.trainer.fit(prepared.train_data, prepared.valid_data, saved=False)
        prepared.model.eval()
        batch = next(iter(prepared.test_data))[0]
        scores.append(prepared.model.full_sort_predict(batch).detach())
    torch.testing.assert_close(*scores, rtol=1e-3, atol=1e-4)
