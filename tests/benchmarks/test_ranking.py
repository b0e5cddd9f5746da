"""The one metric of the comparison with other libraries: RecBole's own numbers, and a brute-force ranking."""

import numpy as np
import pytest
import torch
from interactions import Interactions, from_recbole
from ranking import evaluate, metrics, ranks
from recbole.data.interaction import Interaction


def padded_scores(network, length: int):
    """The model's scores of histories, as the training programs compute them."""

    @torch.no_grad()
    def score(histories) -> np.ndarray:
        network.eval()
        rows = [np.pad(items[-length:], (0, max(0, length - len(items)))) for items in histories]
        lengths = torch.tensor([min(len(items), length) for items in histories])
        batch = {network.ITEM_SEQ: torch.tensor(np.array(rows)), network.ITEM_SEQ_LEN: lengths}
        return network.full_sort_predict(Interaction(batch)).numpy()

    return score


@pytest.mark.parametrize("part", ["valid", "test"])
def test_metrics_are_those_of_recbole(prepare, tiny, part, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["test"])
    run = prepare(metrics=["Hit", "NDCG"], metric_decimal_place=9)
    data = {"valid": run.valid_data, "test": run.test_data}[part]
    expected = run.trainer.evaluate(data, load_best_model=False)
    settings = {key: run.config[key] for key in ("load_col", "MAX_ITEM_LIST_LENGTH", "data_path")}
    settings["data_path"] = str(tiny.parent)
    interactions = from_recbole("tiny", settings)
    score = padded_scores(run.model, run.config["MAX_ITEM_LIST_LENGTH"])
    ours = evaluate(score, interactions.histories(part), interactions.held_out(part), batch_size=7)
    assert 0 < ours["hr@10"] < 1
    assert ours["hr@10"] == pytest.approx(expected["hit@10"], abs=1e-8)
    assert ours["ndcg@10"] == pytest.approx(expected["ndcg@10"], abs=1e-8)


def test_unseen_ranking_by_sorting_what_is_left() -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=(30, 25)).astype(np.float32)
    histories = [random.choice(np.arange(1, 25), size=random.integers(1, 12), replace=False) for _ in range(30)]
    targets = np.array([random.choice(np.setdiff1d(np.arange(1, 25), items)) for items in histories])
    expected = []
    for row, items, target in zip(scores, histories, targets, strict=True):
        left = [item for item in np.argsort(-row) if item != 0 and item not in items]
        place = left.index(target) + 1
        expected.append(1 / np.log2(1 + place) if place <= 10 else 0)
    got = evaluate(lambda batch: scores, histories, targets, batch_size=100)
    assert got["ndcg@10 unseen"] == pytest.approx(np.mean(expected), abs=1e-7)
    assert got["ndcg@10 unseen"] > got["ndcg@10"]


def test_an_item_that_is_no_candidate_is_a_miss() -> None:
    scores = np.full((1, 20), 0.5, dtype=np.float32)
    scores[0, 3] = -np.inf
    assert ranks(scores, np.array([3])) == 20
    assert metrics(ranks(scores, np.array([3])))["hr@10"] == 0


def test_parts_of_the_interactions(tmp_path) -> None:
    Interactions(np.array([1, 1, 1, 1, 2, 2, 2]), np.array([5, 6, 7, 8, 5, 9, 6]), 10).write(tmp_path / "file.npz")
    interactions = Interactions.read(tmp_path / "file.npz")
    assert [list(items) for items in interactions.training_sequences()] == [[5, 6], [5]]
    assert [list(items) for items in interactions.histories("test")] == [[5, 6, 7], [5, 9]]
    assert list(interactions.held_out("valid")) == [7, 9]
    assert list(interactions.held_out("test")) == [8, 6]
