"""Metrics of our evaluation against those of RecBole's own trainer on the same weights."""

import pytest
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.trainer import Trainer
from recbole.utils import get_model, get_trainer, init_seed

import recbole_llmdistill.training.evaluation as evaluation

EVERY_TOPK_METRIC = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"]
OF_THE_ITEMS = ["ShannonEntropy"]  # the others that need no scores stop with an error in RecBole 1.2.1


def both_results(config, model, data, trainer) -> tuple[dict, dict]:
    """RecBole's metrics and ours, unrounded."""
    results = []
    for one in (Trainer(config, model), trainer):
        one.eval_collector.data_collect(data[0])
        init_seed(5, True)  # sampled candidates are drawn again in every evaluation
        results.append(one.evaluate(data[2], load_best_model=False))
    return tuple(results)


@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
@pytest.mark.parametrize(
    "settings",
    [
        {"metrics": EVERY_TOPK_METRIC, "topk": [1, 5, 10]},
        {"metrics": EVERY_TOPK_METRIC, "topk": 60},
        {"metrics": [*EVERY_TOPK_METRIC, *OF_THE_ITEMS], "topk": [3], "eval_batch_size": 7},
        {"metrics": EVERY_TOPK_METRIC, "topk": [3, 55], "eval_batch_size": 19, "eval_exclude_seen": True},
        {"metrics": ["NDCG", "GAUC"], "topk": [10]},  # GAUC needs the rank of every item
        {"eval_args": {"split": {"RS": [0.6, 0.2, 0.2]}, "order": "TO", "group_by": "user", "mode": "full"}},
        {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "uni20"}},
    ],
    ids=["topk", "long-list", "small-batches", "unseen", "gauc", "ratio-split", "sampled"],
)
def test_metrics_equal_recboles(prepare, monkeypatch, model: str, settings: dict) -> None:
    monkeypatch.setitem(evaluation.SCORES_AT_ONCE, "cpu", 600)  # slices of some 10 users
    monkeypatch.setattr(evaluation, "LEAST_ROWS", 1)
    made = prepare(model, metric_decimal_place=15, **settings)
    data = (made.train_data, made.valid_data, made.test_data)
    torch.nn.init.normal_(made.model.item_embedding.weight)  # scores far apart, so that no sum's rounding matters
    expected, found = both_results(made.config, made.model, data, made.trainer)
    assert found == expected


@pytest.mark.parametrize("model", ["SASRecDistill", "BERT4RecDistill"])
def test_metrics_equal_recboles_on_ml_100k(model: str) -> None:
    settings = {
        "metrics": EVERY_TOPK_METRIC,
        "topk": [5, 10, 20],
        "state": "ERROR",
        "hidden_size": 16,
        "inner_size": 32,
    }
    config = Config(model, "ml-100k", config_dict={**settings, "metric_decimal_place": 15})
    data = data_preparation(config, create_dataset(config))
    network = get_model(model)(config, data[0].dataset)
    torch.nn.init.normal_(network.item_embedding.weight)
    trainer = get_trainer(config["MODEL_TYPE"], model)(config, network)
    expected, found = both_results(config, network, data, trainer)
    assert found == expected
    assert expected["recall@20"] > 0


def test_never_more_scores_in_memory_than_allowed(prepare, monkeypatch) -> None:
    monkeypatch.setitem(evaluation.SCORES_AT_ONCE, "cpu", 5 * 61)
    monkeypatch.setattr(evaluation, "LEAST_ROWS", 2)
    made = prepare()
    sizes, predict = [], made.model.full_sort_predict

    def watched(interaction):
        scores = predict(interaction)
        sizes.append(scores.numel())
        return scores

    monkeypatch.setattr(made.model, "full_sort_predict", watched)
    made.trainer.evaluate(made.test_data, load_best_model=False)
    assert max(sizes) <= 5 * 61
    assert sum(sizes) == 40 * made.model.n_items
