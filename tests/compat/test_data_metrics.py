"""Metrics that know the data set, which RecBole 1.2.1 alone ends on, against lists that are looked at one by one."""

import pytest
import torch


def test_coverage_and_popularity_of_the_recommended_items(prepare) -> None:
    prepared = prepare(
        metrics=["ItemCoverage", "AveragePopularity"],
        topk=[5],
        valid_metric="ItemCoverage@5",
        epochs=1,
        distill_alpha=0.0,
        metric_decimal_place=8,
    )
    prepared.trainer.fit(prepared.train_data, prepared.valid_data, saved=False)
    prepared.trainer.evaluate(prepared.valid_data, load_best_model=False)
    result = prepared.trainer.evaluate(prepared.test_data, load_best_model=False)

    counts = torch.zeros(prepared.model.n_items)
    for item in prepared.train_data._dataset.inter_feat["item_id"].tolist():
        counts[item] += 1
    recommended = []
    for interaction, *_ in prepared.test_data:
        scores = prepared.model.full_sort_predict(interaction)
        scores[:, 0] = -torch.inf
        recommended += scores.topk(5).indices.flatten().tolist()
    assert result["itemcoverage@5"] == pytest.approx(len(set(recommended)) / prepared.model.n_items, abs=1e-6)
    assert result["averagepopularity@5"] == pytest.approx(float(counts[recommended].mean()), rel=1e-6)
