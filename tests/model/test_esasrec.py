"""ESASRec computes LiGR's formulas, sees no future, and is a model of its own."""

import numpy as np
import pytest
import torch
from recbole.quick_start import run_recbole

from recbole_llmdistill import Recommender
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.esasrec import GatedEncoder, GatedLayer


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_hand(layer: GatedLayer, states: np.ndarray) -> np.ndarray:
    """One sequence ``[L, H]``, position by position and head by head."""
    weights = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    length, size = states.shape
    width = size // layer.n_heads
    parts = [np.split(linear("query_key_value", norm(x)), 3) for x in states]
    result = np.empty_like(states)
    for here in range(length):
        context = []
        for head in range(layer.n_heads):
            of_head = slice(head * width, (head + 1) * width)
            query = parts[here][0][of_head]
            shares = softmax(np.array([query @ parts[past][1][of_head] for past in range(here + 1)]) / np.sqrt(width))
            context.append(sum(share * parts[past][2][of_head] for past, share in enumerate(shares)))
        x = states[here]
        x = x + linear("attention_output", np.concatenate(context)) * sigmoid(linear("attention_gate", x))
        activated, straight = np.split(linear("feed_forward_input", norm(x)), 2)
        update = linear("feed_forward_output", activated * sigmoid(activated) * straight)
        result[here] = x + update * sigmoid(linear("feed_forward_gate", x))
    return result


def test_a_layer_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = GatedLayer(8, 12, 2, 0.5, 0.5).double().eval()
    states = torch.randn(3, 5, 8, dtype=torch.float64)
    found = layer(states).detach().numpy()
    for one, expected in zip(found, states.numpy(), strict=True):
        np.testing.assert_allclose(one, by_hand(layer, expected), rtol=1e-6)


def test_no_state_has_seen_what_follows() -> None:
    torch.manual_seed(0)
    encoder = GatedEncoder([GatedLayer(8, 16, 2, 0.5, 0.5) for _ in range(2)], 8).eval()
    states = torch.randn(1, 6, 8)
    changed = states.clone()
    changed[:, 4:] += 1
    for one, other in zip(encoder(states), encoder(changed), strict=True):
        torch.testing.assert_close(one[:, :4], other[:, :4])
        assert not torch.allclose(one[:, 4:], other[:, 4:])


@pytest.mark.parametrize("name", ["ESASRec", "ESASRecDistill"])
def test_it_trains_and_recommends(tiny, tmp_path, name: str) -> None:
    columns = {"inter": ["user_id", "item_id", "timestamp"]}
    settings = {"data_path": str(tiny.parent), "load_col": columns, "epochs": 1, "hidden_size": 16}
    run_recbole(
        model=name, dataset="tiny", config_dict={**settings, "checkpoint_dir": "saved", "train_neg_sample_args": None}
    )
    (file,) = (tmp_path / "saved").glob(f"{name}-*.pth")
    recommender = Recommender.load(file)
    (found,) = recommender.recommend([["i1", "i2"]], k=3, exclude_seen=True)
    assert found.source == "model"
    assert len(set(found.items) - {"i1", "i2"}) == 3


def test_a_pairwise_loss_is_refused_and_not_passed_over(prepare) -> None:
    pairwise = {"distribution": "uniform", "sample_num": 1, "dynamic": False}
    with pytest.raises(InputError, match="loss_type='BPR': ESASRec has no other loss than CE"):
        prepare("ESASRecDistill", sequence_training="prefix", loss_type="BPR", train_neg_sample_args=pairwise)
