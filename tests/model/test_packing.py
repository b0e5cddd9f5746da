"""Packed rows hold every real position once, and encode as RecBole's padded rows do."""

import pytest
import torch
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import BERT4Rec, SASRec

from recbole_llmdistill.model.packed_encoder import encode
from recbole_llmdistill.model.packing import pack_rows
from recbole_llmdistill.model.representation import Representation, listening


def batch(lengths: list[int], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences of increasing numbers from 1 on, and their lengths."""
    sizes = torch.tensor(lengths)
    real = torch.arange(length) < sizes.unsqueeze(1)
    sequences = torch.zeros(len(lengths), length, dtype=torch.long)
    sequences[real] = torch.arange(1, int(sizes.sum()) + 1)
    return sequences, sizes


@pytest.mark.parametrize("lengths", [[10] * 3, [1] * 25, [3, 7, 10, 1, 6, 2, 4], [6, 6, 6]])
def test_every_position_lies_in_one_place(lengths: list[int]) -> None:
    sequences, sizes = batch(lengths, 10)
    packing = pack_rows(sizes, 10)
    packed = packing.pack(sequences)
    assert sorted(packed[packed > 0].tolist()) == sequences[sequences > 0].tolist()
    for row, sequence in enumerate(sequences):
        places = packing.destination[row, : lengths[row]]
        assert packed.flatten()[places].tolist() == sequence[: lengths[row]].tolist()
        assert packing.position.flatten()[places].tolist() == list(range(lengths[row]))
        assert packing.segment.flatten()[places].tolist() == [row] * lengths[row]


def test_rows_are_filled() -> None:
    assert len(pack_rows(torch.tensor([3, 7, 5, 5, 10, 1, 9]), 10).source) == 4  # 40 positions
    assert len(pack_rows(torch.tensor([6] * 8), 10).source) == 8
    assert len(pack_rows(torch.tensor([6, 6, 6]), 10).source) == 4  # a multiple of 4


@pytest.mark.parametrize(
    ("name", "base", "causal"), [("SASRecDistill", SASRec, True), ("BERT4RecDistill", BERT4Rec, False)]
)
def test_states_are_recboles(prepare, name: str, base: type, causal: bool) -> None:
    prepared = prepare(name, hidden_dropout_prob=0.0, attn_dropout_prob=0.0, n_layers=3, distill_layer=-1)
    prepared.trainer._begin_distillation(prepared.train_data)
    model = prepared.model.train()
    length = model.max_seq_length
    lengths = torch.tensor([3, length, 1, length - 3, 2, 5])
    sequences = torch.randint(1, model.n_items, (6, length)) * (torch.arange(length) < lengths.unsqueeze(1))
    with listening(model.trm_encoder) as expected:
        base.forward(model, sequences, lengths) if causal else base.forward(model, sequences)
    rows = Interaction({model.ITEM_SEQ_LEN: lengths})
    real = sequences != 0
    heard = Representation()
    last = encode(model, rows, sequences, causal, real, heard)
    assert len(heard.packing.source) == 4
    for layer, right in enumerate(expected.layers):
        torch.testing.assert_close(heard.states(layer)[real], right[real], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(last, expected.layers[-1][real], atol=1e-5, rtol=1e-4)
    some = real & (torch.arange(length) % 2 == 0)
    model.end_distillation()
    last = encode(model, rows, sequences, causal, some, heard)
    assert len(heard.layers) == 2
    torch.testing.assert_close(last, expected.layers[-1][some], atol=1e-5, rtol=1e-4)
    # Gradients, by the first layer's states and by the last layer's at some positions: as through RecBole's layers.
    factor = torch.randn(6, length, last.size(1))
    outcome = (heard.states(0)[real] * factor[real]).sum() + (last * factor[some]).sum()
    outcome_right = (expected.layers[0][real] * factor[real]).sum() + (expected.layers[-1][some] * factor[some]).sum()
    weights = [p for p in (model.item_embedding.weight, *model.trm_encoder.parameters()) if p.requires_grad]
    for gradient, right in zip(
        torch.autograd.grad(outcome, weights), torch.autograd.grad(outcome_right, weights), strict=True
    ):
        torch.testing.assert_close(gradient, right, atol=1e-4, rtol=1e-3)
