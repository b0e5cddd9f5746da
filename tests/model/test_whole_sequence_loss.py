"""Whole-sequence losses against RecBole's own, one prefix or one masked row at a time, without dropout."""

from copy import deepcopy

import pytest
import torch
from recbole.data.dataset import SequentialDataset
from recbole.data.interaction import Interaction
from recbole.data.transform import MaskItemSequence
from recbole.model.sequential_recommender import BERT4Rec, SASRec
from scipy.stats import chi2_contingency

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "distill_alpha": 0.0}
# Each position sees what its prefix sees: in windows that hold every history whole, and in windows that move by one.
AS_PREFIXES = pytest.mark.parametrize(("length", "overlap"), [(40, 0.5), (10, 0.9)])


@AS_PREFIXES
def test_sasrec_loss_is_the_mean_of_recboles_prefix_losses(prepare, length: int, overlap: float) -> None:
    prepared = prepare(MAX_ITEM_LIST_LENGTH=length, sequence_window_overlap=overlap, **NO_DROPOUT)
    dataset = prepared.train_data._dataset
    batch = dataset[torch.arange(len(dataset)).numpy()]
    reference = SASRec(prepared.config, dataset)
    reference.load_state_dict(prepared.model.state_dict())
    prefixes = SequentialDataset(prepared.config).build()[0]
    losses = [reference.train().calculate_loss(prefixes[[row]]).item() for row in range(len(prefixes))]
    loss = prepared.model.train().calculate_loss(batch).item()
    assert loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@AS_PREFIXES
def test_gradients_equal_those_of_the_prefix_losses(prepare, length: int, overlap: float) -> None:
    prepared = prepare(MAX_ITEM_LIST_LENGTH=length, sequence_window_overlap=overlap, **NO_DROPOUT)
    dataset = prepared.train_data._dataset
    reference = SASRec(prepared.config, dataset)
    reference.load_state_dict(prepared.model.state_dict())
    prefixes = SequentialDataset(prepared.config).build()[0]
    reference.train().calculate_loss(prefixes[torch.arange(len(prefixes)).numpy()]).backward()
    prepared.model.train().calculate_loss(dataset[torch.arange(len(dataset)).numpy()]).backward()
    for (name, ours), theirs in zip(prepared.model.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: name + text
        )


def test_bert4rec_loss_is_recboles_for_the_same_mask(prepare, monkeypatch) -> None:
    prepared = prepare("BERT4RecDistill", **NO_DROPOUT)
    model, dataset = prepared.model, prepared.train_data._dataset
    batch = dataset[torch.arange(8).numpy()]
    sequences, lengths = batch[model.ITEM_SEQ], batch[model.ITEM_SEQ_LEN]
    masked = torch.zeros_like(sequences, dtype=torch.bool)
    masked[:, 2] = lengths > 2  # RecBole leaves a masked first position out of its loss, so none is masked here
    masked[torch.arange(8), lengths - 1] = True
    monkeypatch.setattr(model, "draw_mask", lambda *_: masked)

    n_masked = int(masked.sum(dim=1).max())
    positives, places = torch.zeros(8, n_masked, dtype=torch.long), torch.zeros(8, n_masked, dtype=torch.long)
    for row in range(8):
        where = masked[row].nonzero().squeeze(1)
        positives[row, : len(where)], places[row, : len(where)] = sequences[row, where], where
    reference = BERT4Rec(prepared.config, dataset)
    reference.load_state_dict(model.state_dict())
    for name in ("MASK_ITEM_SEQ", "POS_ITEMS", "NEG_ITEMS", "MASK_INDEX"):  # named by RecBole's transform otherwise
        setattr(reference, name, name)
    expected = reference.train().calculate_loss(
        Interaction(
            {
                reference.MASK_ITEM_SEQ: sequences.masked_fill(masked, reference.mask_token),
                reference.POS_ITEMS: positives,
                reference.NEG_ITEMS: positives,
                reference.MASK_INDEX: places,
            }
        )
    )
    assert model.train().calculate_loss(batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_bert4rec_reconstructs_test_data_as_recbole_does(prepare) -> None:
    prepared = prepare("BERT4RecDistill", distill_alpha=0.0)
    reference = BERT4Rec(prepared.config, prepared.train_data._dataset)
    for interaction, *_ in prepared.test_data:
        sequences, lengths = interaction[reference.ITEM_SEQ], interaction[reference.ITEM_SEQ_LEN]
        ours = prepared.model.reconstruct_test_data(sequences, lengths)
        assert torch.equal(ours, reference.reconstruct_test_data(sequences, lengths))


def test_masking_follows_mask_ratio_and_ft_ratio(prepare) -> None:
    model = prepare("BERT4RecDistill", mask_ratio=0.2, ft_ratio=0.5, distill_alpha=0.0).model
    rows, length = 40_000, 8
    sequences = torch.ones(rows, 10, dtype=torch.long)
    sequences[:, length:] = 0
    masked = model.draw_mask(sequences, torch.full((rows,), length))
    assert not masked[:, length:].any()
    share = masked.float().mean(dim=0)
    # Half the rows mask the last item alone, the others each item with probability .2: .1 and .5 + .1.
    tolerance = 5 * (0.25 / rows) ** 0.5  # five standard errors
    torch.testing.assert_close(share[: length - 1], torch.full((length - 1,), 0.1), atol=tolerance, rtol=0)
    assert abs(float(share[length - 1]) - 0.6) < tolerance
    together = (masked[:, 0] & masked[:, 1]).float().mean()
    assert abs(float(together) - 0.5 * 0.2 * 0.2) < tolerance  # independent within a row


def test_masks_are_distributed_as_recboles(prepare) -> None:
    prepared = prepare("BERT4RecDistill", mask_ratio=0.3, ft_ratio=0.4, distill_alpha=0.0)
    model, rows = prepared.model, 6000
    sequence = torch.tensor([[5, 3, 9, 2, 7, 0, 0, 0, 0, 0]])
    length = torch.tensor([5])
    batch = Interaction({model.ITEM_SEQ: sequence, model.ITEM_SEQ_LEN: length})
    transform = MaskItemSequence(prepared.config)
    # A row a call, because RecBole draws once per batch whether the last item alone is masked.
    theirs = torch.cat(
        [
            transform(prepared.train_data._dataset, deepcopy(batch))[transform.MASK_ITEM_SEQ] == model.mask_token
            for _ in range(rows)
        ]
    )
    ours = model.draw_mask(sequence.expand(rows, -1), length.expand(rows))
    assert not ours[:, 5:].any()
    weights = 2 ** torch.arange(5)  # every one of the 32 possible masks has a number
    counts = [torch.bincount((masked[:, :5] * weights).sum(dim=1), minlength=32) for masked in (ours, theirs)]
    assert chi2_contingency(torch.stack(counts)[:, sum(counts) > 0].numpy()).pvalue > 0.001
