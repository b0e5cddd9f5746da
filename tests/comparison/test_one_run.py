"""A run against RecBole's own, its likelihoods and lists against loops and RecBole's metric classes."""

import os

import numpy as np
import pytest
import torch
from recbole.evaluator import metrics
from recbole.quick_start import run_recbole

from recbole_llmdistill.comparison.run.beyond_accuracy import average_popularity, coverage, gini
from recbole_llmdistill.comparison.run.costs import peak_memory
from recbole_llmdistill.comparison.run.recording import RecordingCollector, values_of_cases
from recbole_llmdistill.comparison.run.worker import scores_are_logits, train_and_test


@pytest.mark.parametrize(("model", "label"), [("SASRecDistill", "SASRecDistill"), ("Pop", "Pop")])
def test_a_run_is_recboles_own(arms_of, job_of, held_out, tmp_path, model: str, label: str) -> None:
    config = next(config for config in arms_of([model]) if config.arm.label == label)
    job = job_of(config, 3)
    expected = run_recbole(
        model=model, dataset="tiny", config_file_list=job["config_files"], config_dict=dict(job["settings"])
    )
    folder = tmp_path / "scratch"
    folder.mkdir()
    result = train_and_test(job, folder)
    for name, value in expected["test_result"].items():
        assert result["test"][name] == pytest.approx(value, abs=0.51e-4), name  # RecBole rounds
    assert {name: result["valid"][name] for name in expected["best_valid_result"]} == expected["best_valid_result"]
    assert max(result["valid_scores"]) == pytest.approx(expected["best_valid_score"])
    assert result["valid_scores"][result["best_epoch"]] == max(result["valid_scores"])
    with np.load(folder / "cases.npz") as cases:
        assert {"recall@5", "ndcg@10", "mrr@20"} <= set(cases.files)
        assert ("nll" in cases.files) == (model == "SASRecDistill")
        for name in cases.files:
            assert cases[name].shape == held_out.users.shape
            assert cases[name].mean(dtype=float) == pytest.approx(result["test"][name])
    assert result["parameters"] > 0
    assert result["latency_ms"].keys() == {"1", "256"}
    assert os.path.samefile(os.getcwd(), folder)  # so RecBole's files are no litter elsewhere


def test_likelihoods_and_ranks_by_loops(prepare) -> None:
    made = prepare("BERT4RecDistill", metrics=["NDCG", "Recall", "MRR", "Hit", "MAP", "Precision"], topk=[1, 5])
    made.trainer.eval_collector = collector = RecordingCollector(made.config, made.trainer.eval_collector, 4)
    result = made.trainer.evaluate(made.test_data, load_best_model=False)
    users, items, likelihood, lists = collector.recorded()
    values = values_of_cases(made.trainer.evaluator, collector.struct)

    made.model.eval()
    rows = made.test_data._dataset
    for row in range(len(rows)):
        interaction = rows[[row]]
        with torch.no_grad():
            scores = made.model.full_sort_predict(interaction)[0].double().numpy()[1:]  # but for the padding item
        item = int(interaction["item_id"])
        probability = np.exp(scores - scores.max())[item - 1] / np.exp(scores - scores.max()).sum()
        assert (users[row], items[row]) == (int(interaction["user_id"]), item)
        assert likelihood[row] == pytest.approx(-np.log(probability), rel=1e-4)
        ranking = (np.argsort(-scores, kind="stable") + 1).tolist()
        assert lists[row].tolist() == ranking[:4]
        rank = ranking.index(item) + 1
        assert values["ndcg@5"][row] == pytest.approx(1 / np.log2(rank + 1) if rank <= 5 else 0)
        assert values["mrr@5"][row] == pytest.approx(1 / rank if rank <= 5 else 0)
        assert values["precision@5"][row] == pytest.approx((rank <= 5) / 5)
        assert values["hit@1"][row] == (rank == 1)
    for name, value in result.items():
        assert values[name].mean(dtype=float) == pytest.approx(value, abs=0.51e-4)


@pytest.mark.parametrize(
    ("loss_type", "of_whole_sequences", "expected"),
    [("CE", None, True), ("CE", "softmax", True), ("CE", "gbce", False), ("BPR", None, False), (None, None, False)],
)
def test_likelihoods_are_of_models_with_cross_entropy(loss_type, of_whole_sequences, expected) -> None:
    assert scores_are_logits({"loss_type": loss_type, "sequence_loss": of_whole_sequences}) is expected


def test_metrics_of_lists_are_recboles() -> None:
    random = np.random.default_rng(2)
    n_items, lists = 30, random.integers(0, 12, size=(50, 10))
    counts = random.integers(0, 99, size=n_items)
    config = {"topk": [10], "metric_decimal_place": 12, "tail_ratio": 0.1}
    assert coverage(lists, n_items) == metrics.ItemCoverage(config).get_coverage(lists, n_items)
    assert gini(lists, n_items) == pytest.approx(metrics.GiniIndex(config).get_gini(lists, n_items))
    popularity = metrics.AveragePopularity(config)
    of_lists = popularity.metric_info(popularity.get_pop(lists, dict(enumerate(counts))))
    assert average_popularity(lists, counts) == pytest.approx(of_lists[:, -1].mean())


def test_a_peak_of_memory_is_noticed() -> None:
    before = peak_memory()
    block = np.ones(int(before + 50) * 2**20, dtype=np.uint8)
    assert before + 50 <= peak_memory() <= 2 * before + 150
    assert block[-1] == 1
