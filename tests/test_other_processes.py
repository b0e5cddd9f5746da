"""Processes that nobody told of this package find its models: spawned ones, Ray workers, and a run continued after
``kill -9``."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from recbole.utils import get_model

RAY_PROGRAM = """
import json, sys
import ray
from ray import tune
from recbole.quick_start import objective_function
import recbole_llmdistill

data_path = sys.argv.pop()
ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
analysis = tune.run(
    objective_function,
    config={
        "model": "SASRecDistill", "dataset": "tiny", "data_path": data_path, "epochs": 2, "hidden_size": 16,
        "show_progress": False, "state": "ERROR", "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "learning_rate": tune.grid_search([0.001, 0.01]),
    },
    storage_path=data_path,
    verbose=0,
)
print(json.dumps([trial.last_result["test_result"]["ndcg@10"] for trial in analysis.trials]))
"""


def test_a_spawned_process_knows_the_models() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(get_model, ("SASRecDistill",)) is get_model("SASRecDistill")


@pytest.mark.slow
def test_ray_tune_runs_recboles_objective_function(tiny, tmp_path) -> None:
    (tmp_path / "search.py").write_text(RAY_PROGRAM)
    done = subprocess.run(
        [sys.executable, "search.py", str(tiny.parent)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    scores = json.loads(done.stdout.splitlines()[-1])
    assert len(scores) == 2
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.slow
def test_recboles_hyper_tuning_runs_its_objective_function_without_ray(tiny, tmp_path) -> None:
    from recbole.quick_start import objective_function
    from recbole.trainer import HyperTuning
    from tiny_dataset import SMALL

    settings = {"model": "SASRecDistill", "dataset": "tiny", "data_path": str(tiny.parent), **SMALL, "epochs": 1}
    (tmp_path / "fixed.yaml").write_text(json.dumps(settings))
    (tmp_path / "space.hyper").write_text("learning_rate loguniform -6,-4\n")
    tuning = HyperTuning(
        objective_function,
        algo="random",
        max_evals=2,
        params_file="space.hyper",
        fixed_config_file_list=["fixed.yaml"],
        display_file="page.html",
    )
    tuning.run()
    assert len(tuning.score_list) == 2
    assert tuning.best_score == max(tuning.score_list)
    assert (tmp_path / "page.html").is_file()


def run_command(tiny: Path, checkpoints: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "recbole_llmdistill.cli.run_recbole"),
        *("--model=SASRecDistill", "--dataset=tiny", f"--data_path={tiny.parent}", f"--checkpoint_dir={checkpoints}"),
        *("--epochs=40", "--distill_epochs=20", "--hidden_size=16", "--show_progress=False"),
        *more,
    ]


def final_state(checkpoints: str) -> dict:
    (file,) = Path(checkpoints).glob("*.pth")
    return torch.load(file, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("killed_in_epoch", [5, 25], ids=["stage-one", "stage-two"])
def test_a_run_killed_and_resumed_ends_as_one_left_alone(tiny, killed_in_epoch: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(run_command(tiny, "whole"), env=environment, capture_output=True, check=True, timeout=200)

    with open("output.txt", "w") as output:
        process = subprocess.Popen(run_command(tiny, "half"), env=environment, stdout=output, stderr=output)
    deadline = time.monotonic() + 100
    while f"epoch {killed_in_epoch} " not in Path("output.txt").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Where the log says, as the user is told: kill -9 may leave a half-written file beside it.
    option = re.search(r"continue it with (--distill_resume=\S+)", Path("output.txt").read_text()).group(1)
    done = subprocess.run(
        run_command(tiny, "half", option),
        env=environment, capture_output=True, text=True, check=True, timeout=200,
    )  # fmt: skip

    assert "Resumed from" in done.stderr
    assert not list(Path("half").glob("*.resume"))
    whole, half = final_state("whole"), final_state("half")
    assert half["epoch"] == whole["epoch"]
    assert half["best_valid_score"] == whole["best_valid_score"]
    for name, value in whole["state_dict"].items():
        assert torch.equal(half["state_dict"][name], value), name
