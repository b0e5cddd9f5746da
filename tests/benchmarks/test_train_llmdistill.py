"""Our training program of the comparison, in a process of its own, as the benchmarks run it."""

import json

import pytest
from child import run_child
from interactions import from_recbole
from quality_peers import best, table
from tiny_dataset import SMALL


@pytest.mark.parametrize("rows", ["whole", pytest.param("prefix", marks=pytest.mark.slow)])
def test_counts_each_training_target_once_an_epoch(tiny, tmp_path, rows, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["test"])
    monkeypatch.chdir(tmp_path)
    settings = {**SMALL, "data_path": str(tiny.parent), "sequence_training": rows, "distill_alpha": 0}
    for name in ("epochs", "show_progress", "state"):  # the program's own
        del settings[name]
    interactions = from_recbole("tiny", settings)
    interactions.write(tmp_path / "interactions.npz")
    options = ["--interactions", tmp_path / "interactions.npz", "--epochs", 3, "--evaluate-every", 2]
    options += ["--settings", json.dumps({"dataset": "tiny", **settings})]
    result = run_child("train_llmdistill.py", *options, threads=1, progress=True)
    assert [line.partition(" (")[0] for line in capsys.readouterr().err.splitlines()] == ["epoch 2"]
    # A user's first interaction is no target, and the last two are held out.
    assert result["targets"] == [sum(len(items) - 3 for items in interactions.sequences())] * 3
    assert len(result["seconds"]) == 3
    assert [evaluation["epoch"] for evaluation in result["evaluations"]] == [2]
    assert 0 <= result["evaluations"][0]["test"]["ndcg@10"] <= 1


def test_stock_recbole_trains_on_any_data_set_with_each_target_once_an_epoch(tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["test"])
    monkeypatch.chdir(tmp_path)
    settings = {"dataset": "tiny", "data_path": str(tiny.parent), "hidden_size": 8, "inner_size": 8}
    result = run_child("train_recbole.py", "--epochs", 2, "--settings", json.dumps(settings), threads=1)
    sequences = from_recbole("tiny", {"data_path": str(tiny.parent)}).sequences()
    assert result["targets"] == [sum(len(items) - 3 for items in sequences)] * 2


def test_a_training_program_that_fails_says_why() -> None:
    with pytest.raises(SystemExit, match="measures time"):
        run_child("train_recbole.py", "--interactions", "any.npz", "--evaluate-every", 1)


def test_table_reads_the_epoch_that_is_best_on_validation_and_pairs_seeds() -> None:
    def run(arm: str, seed: int, *readings: tuple[float, float]) -> dict:
        evaluations = [
            {"epoch": epoch, "valid": {"ndcg@10": valid, "hr@10": 0}, "test": {"ndcg@10": test, "hr@10": 0.25}}
            for epoch, (valid, test) in enumerate(readings, start=1)
        ]
        return {"arm": arm, "seed": seed, "settings": {}, "targets": [10, 20], "evaluations": evaluations}

    runs = [
        run("whole", 0, (0.3, 0.11), (0.2, 0.9)),
        run("whole", 1, (0.1, 0.9), (0.2, 0.13)),
        run("rectools", 0, (0.4, 0.06), (0.3, 0.9)),
    ]
    assert best(runs[0])["epoch"] == 1
    whole, rectools = table(runs, unseen=False).splitlines()[2:]
    assert whole.split(" | ")[1] == "2"
    assert "0.1200 ± 0.0141" in whole
    assert "0.0600 | -0.0500 |" in rectools
