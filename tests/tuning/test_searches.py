"""Whole searches on Ray: the winner and what is left behind, failures, kill -9 and --resume, pruning, limits."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from on_ray import best, evaluations, rows, search, start, without_time


@pytest.mark.slow
def test_a_search_from_its_space_to_its_winner(arguments, tmp_path) -> None:
    output = search([*arguments, "--trials=2", "--epochs=2", "--scheduler=none", "--output_file=all.result"])
    table, result = rows(), best()
    assert [row["status"] for row in table] == ["finished", "finished"]
    for row in table:
        assert f"trial {row['trial']} finished after 2 epochs: NDCG@10 {float(row['valid NDCG@10']):.4f}" in output
    assert result["score_in_search"] == max(float(row["valid NDCG@10"]) for row in table)
    assert result["valid_score"] == result["score_in_search"]
    assert [path.name for path in Path("saved").iterdir()] == [Path(result["checkpoint"]).name]
    assert torch.load(result["checkpoint"], weights_only=True)["best_valid_score"] == result["valid_score"]
    assert Path("all.result").read_text().count("Valid result:") == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        *("dataset", "space.yaml", "found", "saved", "output.txt", "all.result")
    }


@pytest.mark.slow
def test_a_search_over_a_model_of_ones_own(arguments, tmp_path) -> None:
    shutil.copy(Path(__file__).parents[2] / "examples" / "own_model.py", tmp_path / "mine.py")
    (tmp_path / "space.yaml").write_text("learning_rate: {choice: [0.01, 0.001]}\n")
    command = [argument for argument in arguments if not argument.startswith(("--model", "--hidden_size"))]
    search([*command, "--model=mine:RecentMean", "--embedding_size=16", "--trials=2", "--epochs=2"])
    assert [row["status"] for row in rows()] == ["finished", "finished"]
    assert Path(best()["checkpoint"]).name.startswith("RecentMeanDistill-")


@pytest.mark.slow
def test_failed_trials_do_not_end_a_search_and_say_why(arguments, tmp_path) -> None:
    (tmp_path / "space.yaml").write_text("learning_rate: {choice: [0.01, 0.001]}\nhidden_size: {choice: [16, 15]}\n")
    command = [argument for argument in arguments if "hidden_size" not in argument]
    output = search([*command, "--trials=4"])
    table = rows()
    assert {row["status"] for row in table} == {"finished", "failed"}  # the draws of this seed
    for row in table:
        failed = row["status"] == "failed"
        assert failed == (row["hidden_size"] == "15")
        assert failed == ("n_heads=2 does not divide hidden_size=15" in row["reason"])
        assert f"trial {row['trial']} {row['status']}" in output
        assert failed == Path("found", "failures", f"trial_{row['trial']}.txt").is_file()
    assert "Traceback" not in output


def processes_of(search_process: subprocess.Popen, name: str) -> list[psutil.Process]:
    """Ray's processes of a search, by the beginning of what they are called."""
    found = psutil.Process(search_process.pid).children(recursive=True)
    return [process for process in found if (process.cmdline() or [""])[0].rpartition("/")[2].startswith(name)]


def started_and_reporting(command: list[str]) -> subprocess.Popen:
    process = start([*command, "--epochs=3000", "--eval_step=20", "--stopping_step=9999"], Path("output.txt"))
    journal, deadline = Path("found", "journal.jsonl"), time.monotonic() + 200
    while not journal.is_file() or "evaluation" not in journal.read_text():
        assert process.poll() is None, Path("output.txt").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "name"),
    [("raylet", "process on this machine (raylet)"), ("gcs_server", "head process (gcs_server)")],
)
def test_a_dead_cluster_ends_a_search_in_one_line_within_seconds(arguments, victim: str, name: str) -> None:
    process = started_and_reporting([*arguments, "--trials=3"])
    rays = processes_of(process, "")
    (found,) = processes_of(process, victim)
    found.kill()
    assert process.wait(timeout=40) == 2
    output = Path("output.txt").read_text()
    assert f"error: Ray's {name} has ended, and the cluster with it; the same command with --resume" in output
    assert "Traceback" not in output
    psutil.wait_procs(rays, timeout=20)
    assert not [ray for ray in rays if ray.is_running() and ray.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_killed_trial_is_lost_the_others_go_on_and_resume_trains_it_again(arguments) -> None:
    command = [*arguments, "--trials=2", "--epochs=400", "--eval_step=20", "--stopping_step=9999", "--scheduler=none"]
    process = start(command, Path("output.txt"))
    deadline = time.monotonic() + 200
    while not (trials := processes_of(process, "ray::ImplicitFunc")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2)
    trials[0].kill()
    assert process.wait(timeout=300) == 0
    output = Path("output.txt").read_text()
    assert "trial 1 lost: its process was killed; others go on, and --resume trains it again" in output
    assert "1 trials were lost with their processes" in output
    assert "Traceback" not in output
    assert [row["status"] for row in rows()] == ["lost", "finished"]
    search([*command, "--resume"])
    assert [row["status"] for row in rows()] == ["finished", "finished"]
    assert best()["lost"] == 0


@pytest.mark.slow
def test_short_memory_is_told_as_such(arguments, monkeypatch) -> None:
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    output = search([*arguments, "--trials=2", "--epochs=3000", "--stopping_step=9999"], status=2)
    assert "trial 1 lost: Ray ended its process because memory ran short" in output
    assert "error: no trial finished; 2 of 2 failed, trial 1 by Ray ended its process" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_a_search_without_a_trial_that_finishes(arguments, tmp_path) -> None:
    Path("space.yaml").write_text("hidden_size: {choice: [15]}\n")
    command = [argument for argument in arguments if "hidden_size" not in argument]
    output = search([*command, "--trials=2"], status=2)
    assert "error: no trial finished; 2 of 2 failed, trial 1 by InputError: n_heads=2 does not divide hidden" in output
    assert "Traceback" not in output
    assert [row["status"] for row in rows()] == ["failed", "failed"]


@pytest.mark.slow
def test_a_trial_larger_than_the_machine_is_refused(arguments) -> None:
    assert "error: no machine of the cluster has room for a trial with --cpus-per-trial=999" in search(
        [*arguments, "--cpus-per-trial=999"], status=2
    )
    assert "error: --address=127.0.0.1:1: no Ray cluster there" in search(
        [*arguments, "--address=127.0.0.1:1", "--resume"], status=2
    )


@pytest.mark.slow
@pytest.mark.parametrize("searcher", ["random", "hyperopt"])
def test_a_killed_search_goes_on_and_ends_as_one_left_alone(arguments, searcher: str) -> None:
    command = [*arguments, "--trials=6", "--epochs=8", f"--searcher={searcher}"]
    search([*command, "--out=whole"])

    process = start(command, Path("killed.txt"))
    journal = Path("found", "journal.jsonl")
    deadline = time.monotonic() + 200
    while not journal.is_file() or '"trial": 4, "evaluation"' not in journal.read_text():
        assert process.poll() is None, Path("killed.txt").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    recorded = journal.read_text()

    assert "holds this search already; --resume goes on with it" in search(command, status=2)
    assert "going on with 4 recorded trials" in search([*command, "--resume"])
    assert without_time(rows()) == without_time(rows("whole"))
    for key in ("trial", "values", "valid_score", "test_result", "epochs_trained"):
        assert best()[key] == best("whole")[key], key
    again = journal.read_text().removeprefix(recorded[: recorded.rfind("\n") + 1])
    seen = {(line["trial"], line["evaluation"]["epoch"]) for line in evaluations(recorded)}
    assert not seen & {(line["trial"], line["evaluation"]["epoch"]) for line in evaluations(again)}
    assert evaluations(again)
    assert "this search has ended" in search([*command, "--resume"])

    more = search([*command, "--trials=7", "--resume"])
    assert "going on with 6 recorded trials" in more
    assert without_time(rows())[:6] == without_time(rows("whole"))


@pytest.mark.slow
def test_asha_stops_the_worse_half_and_spends_fewer_epochs(arguments) -> None:
    command = [*arguments, "--trials=8", "--epochs=16", "--grace-epochs=2"]
    search([*command, "--scheduler=none", "--out=none"])
    search([*command, "--scheduler=asha", "--out=asha"])
    none, asha = rows("none"), rows("asha")
    keys = ("trial", "learning_rate", "hidden_dropout_prob", "distill_alpha")
    assert [[row[key] for key in keys] for row in asha] == [[row[key] for key in keys] for row in none]
    assert {row["status"] for row in none} == {"finished"}
    assert {row["status"] for row in asha} == {"finished", "stopped"}
    assert best("asha")["epochs_trained"] < best("none")["epochs_trained"]
    scores = {}
    for line in evaluations(Path("none", "journal.jsonl").read_text()):
        scores[line["trial"], line["evaluation"]["epoch"]] = line["evaluation"]["best_score"]
    reached: dict[int, list[float]] = {2: [], 4: [], 8: [], 16: []}
    for row in asha:  # successive halving by hand, one trial after the other, on the curves of the full search
        trial, expected = int(row["trial"]), 16
        for rung, others in reached.items():
            score = scores[trial, rung]
            cutoff = sorted_median(others)
            others.append(score)
            if cutoff is not None and score < cutoff and rung < 16:
                expected = rung
                break
        assert int(row["epochs"]) == expected, row


def sorted_median(values: list[float]) -> float | None:
    ordered, middle = sorted(values), len(values) // 2
    if not ordered:
        return None
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SASRecDistill", "GRU4Rec"])
def test_run_recbole_reproduces_the_winner_from_its_yaml(arguments, tmp_path, model: str) -> None:
    if model == "GRU4Rec":
        (tmp_path / "space.hyper").write_text("learning_rate loguniform -6,-4\nembedding_size choice [8,16]\n")
        arguments += ["--space=space.hyper", "--model=GRU4Rec", "--train_neg_sample_args=None"]
        arguments += ["--load_col={'inter':['user_id','item_id','timestamp']}", "--valid_metric=NDCG@10"]
        arguments.remove("--model=SASRecDistill")
    search([*arguments, "--trials=3"])
    done = subprocess.run(
        [sys.executable, "-m", "recbole_llmdistill.cli.run_recbole", "--config_files=found/best.yaml",
         "--show_progress=False"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    expected = "OrderedDict(" + str([(name, value) for name, value in best()["test_result"].items()]) + ")"
    assert expected in done.stderr or str(best()["test_result"]) in done.stderr, done.stderr[-1500:]


@pytest.mark.slow
@pytest.mark.parametrize("searcher", ["optuna", "bayesopt"])
def test_every_searcher_and_the_median_rule(arguments, searcher: str) -> None:
    search([*arguments, "--trials=6", f"--searcher={searcher}", "--scheduler=median", "--cpus-per-trial=0.5"])
    assert len(rows()) == 6
    seen = [
        (line["trial"], line["evaluation"]["epoch"]) for line in evaluations(Path("found", "journal.jsonl").read_text())
    ]
    assert seen == sorted(set(seen))  # one trial after the other, none begun again
    assert len(seen) == sum(int(row["epochs"]) for row in rows())


@pytest.mark.slow
def test_a_time_budget_ends_the_search_with_a_winner(arguments) -> None:
    # No scheduler, so that time alone can cut a trial off.
    limits = ["--trials=50", "--epochs=300", "--stopping_step=300", "--scheduler=none", "--time-budget=25"]
    output = search([*arguments, *limits])
    assert "out of time" in output
    assert best()["test_result"]


@pytest.fixture
def cluster(monkeypatch):
    """Address of a Ray cluster of two machines, here two sets of Ray's processes, with one CPU each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")  # as on a machine that has nothing else to do
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        nodes.add_node(num_cpus=1)
        yield nodes.address
    finally:
        nodes.shutdown()


@pytest.mark.slow
def test_trials_side_by_side_on_a_cluster(arguments, cluster: str) -> None:
    arguments.remove("--concurrency=1")
    command = [*arguments, "--trials=2", "--epochs=200", "--eval_step=5", "--stopping_step=40", "--scheduler=none"]
    output = search([*command, f"--address={cluster}"])
    assert "2 at once with 1 CPU each" in output
    seen = [line["trial"] for line in evaluations(Path("found", "journal.jsonl").read_text())]
    assert sorted(seen) == [1] * 40 + [2] * 40
    assert seen.index(2) < len(seen) - 1 - seen[::-1].index(1)  # the second began before the first had ended
    search([*command, "--concurrency=1", "--out=alone"])
    assert {row["trial"]: without_time([row]) for row in rows()} == {
        row["trial"]: without_time([row]) for row in rows("alone")
    }
    assert best()["test_result"] == best("alone")["test_result"]


@pytest.mark.slow
def test_interrupted_by_the_user(arguments) -> None:
    process = start([*arguments, "--trials=50"], Path("output.txt"))
    deadline = time.monotonic() + 200
    while "trial 1 finished" not in Path("output.txt").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert Path("output.txt").read_text().endswith("interrupted\n")
    assert len(rows()) == 1
