"""Training, validation and test rows against those of RecBole's own sequential data set."""

from collections import Counter

import numpy as np
import pytest
import torch
from recbole.data.dataset import SequentialDataset

from recbole_llmdistill.data.dataset import CausalSequenceDataset, MaskedSequenceDataset, target_list_field

SPLITS = pytest.mark.parametrize(
    "eval_args",
    [
        {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
        {"split": {"RS": [0.7, 0.15, 0.15]}, "order": "TO", "group_by": "user", "mode": "full"},
        {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": None, "mode": "full"},
    ],
    ids=["leave-one-out", "ratio-by-user", "ratio-global-time"],
)


def pairs(users, items) -> Counter:
    return Counter(zip(users.tolist(), items.tolist(), strict=True))


@SPLITS
def test_whole_sequences_have_recboles_training_pairs(configure, eval_args: dict) -> None:
    config = configure(eval_args=eval_args)
    reference = SequentialDataset(config).build()[0].inter_feat
    part = CausalSequenceDataset(config).build()[0]
    batch = part[torch.arange(len(part)).numpy()]
    targets = batch[target_list_field(config)]
    users = batch["user_id"].unsqueeze(1).expand_as(targets)
    counted = targets != 0
    assert pairs(users[counted], targets[counted]) == pairs(reference["user_id"], reference["item_id"])


@SPLITS
@pytest.mark.parametrize(("overlap", "least"), [(0.0, 1), (0.5, 6)])  # half a window of 10, and the item itself
def test_the_context_of_a_target_is_what_came_before_it(configure, eval_args: dict, overlap: float, least: int) -> None:
    config = configure(eval_args=eval_args, sequence_window_overlap=overlap)
    reference = SequentialDataset(config).build()[0].inter_feat
    before = {  # (user, target) -> the at most 10 items before it, oldest first
        (int(user), int(item)): sequence[:length].tolist()
        for user, item, sequence, length in zip(
            *(reference[key] for key in ("user_id", "item_id", "item_id_list", "item_length")), strict=True
        )
    }
    part = CausalSequenceDataset(config).build()[0]
    batch = part[torch.arange(len(part)).numpy()]
    for user, sequence, targets in zip(
        batch["user_id"].tolist(),
        batch["item_id_list"].tolist(),
        batch[target_list_field(config)].tolist(),
        strict=True,
    ):
        for position in [p for p, target in enumerate(targets) if target]:
            seen = sequence[: position + 1]
            context = before[user, targets[position]]
            assert seen == context[-len(seen) :]
            assert len(seen) >= min(len(context), least)


@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
def test_windows_move_between_epochs_and_repeat_with_the_seed(configure, model: str) -> None:
    kind = {"SASRecDistill": CausalSequenceDataset, "BERT4RecDistill": MaskedSequenceDataset}[model]
    part, again = (kind(configure(model)).build()[0] for _ in range(2))
    rows, borders = len(part), []
    for epoch in range(3):
        part.cut_windows(epoch)
        assert len(part) == rows
        borders.append(part.windows.counts_from.tolist())
    assert borders[0] != borders[1] != borders[2]
    again.cut_windows(2)
    assert again.windows.counts_from.tolist() == borders[2]


@SPLITS
def test_masked_windows_hold_every_training_item_and_no_other(configure, eval_args: dict) -> None:
    config = configure("BERT4RecDistill", eval_args=eval_args)
    reference = SequentialDataset(config).build()[0].inter_feat
    training = {(int(u), int(i)) for u, i in zip(reference["user_id"], reference["item_id"], strict=True)}
    for user, sequence, length in zip(
        *(reference[key] for key in ("user_id", "item_id_list", "item_length")), strict=True
    ):
        training |= {(int(user), int(item)) for item in sequence[:length]}
    part = MaskedSequenceDataset(config).build()[0]
    batch = part[torch.arange(len(part)).numpy()]
    sequences = batch["item_id_list"]
    users = batch["user_id"].unsqueeze(1).expand_as(sequences)
    real = sequences != 0
    assert set(pairs(users[real], sequences[real])) == training


@SPLITS
@pytest.mark.parametrize("sequence_training", ["prefix", "whole"])
def test_rows_cut_on_demand_equal_recboles(configure, eval_args: dict, sequence_training: str) -> None:
    config = configure(eval_args=eval_args, sequence_training=sequence_training)
    reference = SequentialDataset(config).build()
    ours = CausalSequenceDataset(config).build()
    compared = range(3) if sequence_training == "prefix" else (1, 2)  # training rows are windows there
    for part in compared:
        assert len(ours[part]) == len(reference[part])
        rows = torch.arange(len(reference[part])).numpy()
        expected, found = reference[part][rows], ours[part][rows]
        assert set(found.columns) == set(expected.columns)
        for column in expected.columns:
            assert torch.equal(found[column], expected[column]), column


def test_the_interaction_matrix_equals_recboles(configure) -> None:
    config = configure(sequence_training="prefix")
    expected = SequentialDataset(config).build()[0].inter_matrix()
    found = CausalSequenceDataset(config).build()[0].inter_matrix()
    assert (expected.tocsr() != found.tocsr()).nnz == 0


def test_training_interactions_are_what_prefixes_and_targets_show(configure) -> None:
    config = configure()
    reference = SequentialDataset(config).build()[0]
    shown = set()
    for user, item, sequence, length in zip(
        *(reference.inter_feat[key] for key in ("user_id", "item_id", "item_id_list", "item_length")), strict=True
    ):
        shown |= {(int(user), int(i)) for i in [item, *sequence[:length]]}
    tokens = {(reference.id2token("user_id", user), reference.id2token("item_id", item)) for user, item in shown}
    users, items = CausalSequenceDataset(config).build()[0].training_interactions()
    assert Counter(zip(users, items, strict=True)) == Counter(tokens)


def test_padding_is_zero_beside_numbers_that_are_none(configure, tiny) -> None:
    """A column may hold what stays not a number, or infinite, when it is multiplied by the 0 of a padded place."""
    header, *rows = (tiny / "tiny.inter").read_text().splitlines()
    odd = ["inf\t1 nan", "-inf\tnan", "3\tinf"]
    lines = [header + "\tprice:float\tvector:float_seq", *(f"{row}\t{odd[n % 3]}" for n, row in enumerate(rows))]
    (tiny / "tiny.inter").write_text("\n".join(lines) + "\n")
    config = configure(sequence_training="prefix", load_col={"inter": "*"})
    ours = CausalSequenceDataset(config)
    for part, reference in zip(ours.build(), SequentialDataset(config).build(), strict=True):
        batch, expected = part[np.arange(len(part))], reference[np.arange(len(reference))]
        for name in ("price_list", "vector_list"):
            np.testing.assert_array_equal(batch[name].numpy(), expected[name].numpy())
            assert np.isnan(batch["vector_list"].numpy()).any()
            for row, length in zip(batch[name], batch["item_length"].tolist(), strict=True):
                assert not row[length:].any()
