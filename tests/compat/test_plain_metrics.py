"""What a run returns and logs shows Python's numbers, whatever NumPy calls its own."""

import logging

from recbole.quick_start import run_recbole
from tiny_dataset import SMALL


def test_results_of_a_run_are_plain_floats(tiny, caplog) -> None:
    settings = {"data_path": str(tiny.parent), **SMALL, "epochs": 1, "state": "INFO"}
    settings["metrics"] = ["Recall", "NDCG", "GAUC", "ItemCoverage", "GiniIndex", "AveragePopularity"]
    with caplog.at_level(logging.INFO):
        result = run_recbole("SASRecDistill", "tiny", config_dict=settings)
    for part in ("best_valid_result", "test_result"):
        assert {type(value) for value in result[part].values()} == {float}
    assert type(result["best_valid_score"]) is float
    assert "test result" in caplog.text
    assert "np.float64(" not in caplog.text
