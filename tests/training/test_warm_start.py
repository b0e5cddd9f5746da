"""A warm start on a catalogue that has changed: rows follow their tokens, and new items get rows of their own."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_dataset import N_ITEMS

from recbole_llmdistill.compat.token_tables import TokenTables
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.item_knowledge import RIDGE
from recbole_llmdistill.training.warm_start import Matched

GONE, NEW = ["i3", "i4", "i59"], ["new1", "new2"]
BOTH = pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])


@pytest.fixture
def trained(prepare):
    """Function (model, settings) -> a model after two epochs, with its checkpoint."""

    def make(name: str = "SASRecDistill", **settings):
        made = prepare(name, **{"epochs": 2, "distill_epochs": 1, **settings})
        made.trainer.fit(made.train_data, made.valid_data)
        made.trainer.evaluate(made.test_data)  # the best epoch's weights
        return made

    return make


def next_week(folder: Path) -> None:
    """Let the data set lose three items, get two, and number all of them and all users otherwise."""
    file = folder / "tiny.inter"
    header, *rows = file.read_text().splitlines()
    rows = [row for row in rows if row.split("\t")[1] not in GONE]
    rows += [f"u{user}\t{item}\t1\t{5000 + user}" for user in (1, 2) for item in NEW]
    file.write_text("\n".join([header, *np.random.default_rng(1).permutation(rows)]) + "\n")


def write_item_vectors(folder: Path, without: list[str] | None = None) -> dict[str, np.ndarray]:
    """Vectors of six dimensions for all items but ``without``."""
    random = np.random.default_rng(2)
    tokens = [*(f"i{item}" for item in range(N_ITEMS)), *NEW]
    vectors = {token: random.normal(size=6).astype(np.float32) for token in tokens if token not in (without or [])}
    np.savez(folder / "tiny.itememb.npz", item_id=np.array([*vectors]), item_emb=np.stack([*vectors.values()]))
    return vectors


def rows_of(made, name: str = "item_embedding.weight") -> dict[str, torch.Tensor]:
    """Rows of a table by item token."""
    weight = made.model.state_dict()[name]
    return {token: weight[row] for row, token in enumerate(made.train_data._dataset.field2id_token["item_id"])}


@BOTH
def test_rows_follow_their_items(trained, prepare, tiny, caplog, name: str) -> None:
    first = trained(name)
    if name == "BERT4RecDistill":
        torch.nn.init.normal_(first.model.output_bias)
        first.trainer._save_checkpoint(0)
    next_week(tiny)
    plain = prepare(name)
    with caplog.at_level(logging.INFO):
        second = prepare(name, distill_warm_start=first.trainer.saved_model_file, state="INFO")
    assert "57 of its 60 items keep their rows, 3 are gone, 2 are new (2 from the usual initialisation)" in caplog.text
    for table in second.model.item_rows:
        before, now, usual = (rows_of(made, table) for made in (first, second, plain))
        assert set(now) == set(before) - set(GONE) | set(NEW)
        assert [*now] != [token for token in before if token in now]
        for token, row in now.items():
            assert torch.equal(row, usual[token] if token in NEW else before[token]), token
    rest = set(second.model.state_dict()) - set(second.model.item_rows)
    for key in rest:
        assert torch.equal(second.model.state_dict()[key], first.model.state_dict()[key]), key
    if name == "BERT4RecDistill":  # the mask token stays last
        assert torch.equal(second.model.item_embedding.weight[-1], first.model.item_embedding.weight[-1])


@BOTH
def test_the_same_sequence_gets_the_same_scores(trained, prepare, tiny, name: str) -> None:
    first = trained(name)
    next_week(tiny)
    second = prepare(name, distill_warm_start=first.trainer.saved_model_file)
    scores = []
    for made in (first, second):
        number = made.train_data._dataset.field2token_id["item_id"]
        sequence = torch.zeros(1, 10, dtype=torch.int64)
        sequence[0, :4] = torch.tensor([number[token] for token in ("i7", "i30", "i11", "i50")])
        batch = {made.model.ITEM_SEQ: sequence, made.model.ITEM_SEQ_LEN: torch.tensor([4])}
        found = made.model.eval().full_sort_predict(batch).flatten().tolist()
        scores.append({token: found[row] for token, row in number.items()})
    kept = [token for token in scores[1] if token not in NEW]
    assert [scores[1][token] for token in kept] == pytest.approx([scores[0][token] for token in kept], abs=1e-6)


def centred(vectors: dict[str, np.ndarray], present: list[str]) -> dict[str, np.ndarray]:
    mean = np.mean([vectors[token] for token in present], axis=0)
    return {token: vectors[token] - mean for token in present}


@pytest.mark.parametrize("knowledge", ["none", "init", "residual"])
def test_new_items_start_from_a_map_of_their_texts(trained, prepare, tiny, caplog, knowledge: str) -> None:
    vectors = write_item_vectors(tiny, without=["new2", "i8"])
    first = trained(item_knowledge=knowledge)
    next_week(tiny)
    with caplog.at_level(logging.INFO):
        file = first.trainer.saved_model_file
        second = prepare(item_knowledge=knowledge, distill_warm_start=file, state="INFO")
    assert "2 are new (1 start from a map of their texts, 1 from the usual initialisation)" in caplog.text
    now, usual = rows_of(second), rows_of(prepare(item_knowledge=knowledge))
    assert torch.equal(now["new2"], usual["new2"])
    counts = dict(zip(first.train_data._dataset.field2id_token["item_id"], first.model.item_counts, strict=True))
    texts = centred(vectors, [token for token in now if token in vectors])
    learnt = [token for token in now if counts.get(token, 0) > 0 and token in texts]
    scale = np.sqrt(np.mean(np.stack([*texts.values()]) ** 2))  # as ItemVectors has it
    inputs = np.stack([texts[token] for token in learnt]).astype(np.float64) / scale
    outputs = np.stack([now[token].numpy() for token in learnt]).astype(np.float64)
    centre, mean = inputs.mean(axis=0), outputs.mean(axis=0)
    # Ridge regression as least squares with further rows.
    strength = RIDGE * np.mean(np.sum((inputs - centre) ** 2, axis=0))
    left = np.vstack([inputs - centre, np.sqrt(strength) * np.eye(6)])
    right = np.vstack([outputs - mean, np.zeros((6, outputs.shape[1]))])
    row = (texts["new1"] / scale - centre) @ np.linalg.lstsq(left, right, rcond=None)[0] + mean
    row *= np.linalg.norm(outputs, axis=1).mean() / np.linalg.norm(row)
    assert np.allclose(now["new1"], row, atol=1e-5)


def test_a_bias_is_mapped_as_it_is(trained, prepare, tiny) -> None:
    write_item_vectors(tiny)
    first = trained("BERT4RecDistill")
    torch.nn.init.constant_(first.model.output_bias, 3.0)
    first.trainer._save_checkpoint(0)
    next_week(tiny)
    second = prepare("BERT4RecDistill", distill_warm_start=first.trainer.saved_model_file)
    assert torch.allclose(second.model.output_bias, torch.tensor(3.0))


def test_residual_keeps_the_rows_of_items_that_training_does_not_see(trained, prepare, tiny) -> None:
    write_item_vectors(tiny)
    first = trained(item_knowledge="residual")
    file = tiny / "tiny.inter"
    file.write_text(file.read_text() + "u1\tnew1\t1\t9999\n")  # held out
    second = prepare(item_knowledge="residual", distill_warm_start=first.trainer.saved_model_file)
    before = rows_of(second)["new1"].clone()
    second.trainer._begin_item_knowledge(second.train_data, None)
    (residual,) = second.model.item_embedding.parametrizations.weight
    number = second.train_data._dataset.field2token_id["item_id"]["new1"]
    assert torch.allclose(rows_of(second)["new1"], before + residual.map(residual.texts[number]), atol=1e-6)


def test_missing_vectors_that_were_asked_for_are_told(trained, prepare, tiny) -> None:
    file = trained().trainer.saved_model_file
    next_week(tiny)
    with pytest.raises(InputError, match=r"item_vectors_path: .*nowhere"):
        prepare(distill_warm_start=file, item_vectors_path="nowhere")


def test_another_number_of_rows_behind_the_items_is_refused(trained, prepare, tiny) -> None:
    file = trained().trainer.saved_model_file
    next_week(tiny)
    with pytest.raises(InputError, match=r"does not hold weights of this model.*item_embedding\.weight is \[61, 16\]"):
        prepare("BERT4RecDistill", distill_warm_start=file)
    with pytest.raises(InputError, match=r"does not hold weights of this model.*item_embedding\.weight is \[61, 16\]"):
        prepare(distill_warm_start=file, hidden_size=8)


def test_weights_of_a_failed_training_are_refused(trained, prepare) -> None:
    first = trained()
    with torch.no_grad():
        first.model.item_embedding.weight[3] = torch.nan
    first.trainer._save_checkpoint(0)
    with pytest.raises(InputError, match=r"distill_warm_start: .*the weight item_embedding\.weight holds NaN"):
        prepare(distill_warm_start=first.trainer.saved_model_file)


class OfUsers(torch.nn.Module):
    """A model with a table of users."""

    def __init__(self, users: int) -> None:
        super().__init__()
        self.user_embedding = torch.nn.Embedding(users, 3)


def test_rows_of_users_follow_them() -> None:
    then = TokenTables({"user_id": ["[PAD]", "a", "b", "c"]}, "item_id", "user_id")
    own = TokenTables({"uid": ["[PAD]", "c", "new", "a"]}, "item_id", "uid")
    old, model = OfUsers(4), OfUsers(4)
    weights = old.state_dict()
    before = weights["user_embedding.weight"].clone()
    matched = Matched.of(then, own, "users", "x.pth")
    matched.take_rows(model, ("user_embedding.weight",), weights)
    expected = before[[0, 3, 0, 1]]
    expected[2] = model.user_embedding.weight[2].detach()
    assert torch.equal(weights["user_embedding.weight"], expected)
    assert matched.line() == (
        "2 of its 3 users keep their rows, 1 are gone, 1 are new (1 from the usual initialisation)"
    )
    with pytest.raises(InputError, match=r"x\.pth is of other users: of its 3 values of uid 3 are not"):
        Matched.of(then, TokenTables({"uid": ["[PAD]", "x"]}, "item_id", "uid"), "users", "x.pth")
