"""``llmdistill tune`` and ``run_hyper``: bad input in one line, and whole searches on Ray in processes of their own."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from recbole_llmdistill.cli import llmdistill, run_hyper
from recbole_llmdistill.search import cluster
from recbole_llmdistill.search.folder import SearchFolder
from recbole_llmdistill.search.options import SearchOptions
from recbole_llmdistill.search.searchers import SEARCHERS, build_searcher, needs_real_domains
from recbole_llmdistill.search.space_file import read_space

SPACE = """
learning_rate: {loguniform: [0.001, 0.02]}
hidden_dropout_prob: {quniform: [0.1, 0.5, 0.1]}
distill_alpha: {uniform: [0.1, 0.8]}
"""


@pytest.fixture
def arguments(tiny, tmp_path) -> list[str]:
    """A search over SASRecDistill on the tiny data set, whose space is in ``space.yaml``."""
    (tmp_path / "space.yaml").write_text(SPACE)
    return [
        *("--model=SASRecDistill", "--dataset=tiny", "--space=space.yaml", "--out=found", "--concurrency=1"),
        *(f"--data_path={tiny.parent}", "--hidden_size=16", "--train_batch_size=16"),
    ]


@pytest.fixture
def refused(arguments, monkeypatch, capsys):
    """Function (command, more arguments) -> the line that the command ends with; Ray must not be asked for."""

    def run(command: str, *more: str) -> str:
        monkeypatch.setattr(cluster, "ray_cluster", None)
        name, main = {"tune": (["llmdistill", "tune"], llmdistill.main), "run_hyper": (["run_hyper"], run_hyper.main)}[
            command
        ]
        monkeypatch.setattr(sys, "argv", [*name, *arguments, *more])
        assert main() == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        return error

    return run


@pytest.mark.parametrize("command", ["tune", "run_hyper"])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model=SASRecDistil"], "unknown model 'SASRecDistil'; nearest: SASRecDistill, SASRec"),
        (["--dataset=nope"], "data set 'nope': there is no folder"),
        (["--space=no.yaml"], "no.yaml: No such file or directory"),
        (["--config_files=no.yaml"], "no.yaml: No such file or directory"),
        (["--early-stop-metric=NDCG@7"], "valid_metric='NDCG@7' is not among the metrics that are computed: Recall@10"),
        (["--early-stop-metric=Nice@10"], "valid_metric='Nice@10' is not among the metrics"),
        (["--learning_rate=0.1"], "--learning_rate=0.1: space.yaml searches learning_rate"),
        (["--trials=0"], "--trials=0: input should be greater than or equal to 1"),
        (["--scheduler=pbt"], "--scheduler=pbt: input should be 'none', 'asha' or 'median'"),
        (["--searcher=grid"], "--searcher=grid: input should be 'random', 'hyperopt', 'optuna' or 'bayesopt'"),
        (["--time-budget=-1"], "--time-budget=-1.0: input should be greater than 0"),
        (["--profile_path=nowhere"], "profile_path: nowhere does not exist"),
    ],
)
def test_bad_arguments(refused, command: str, more: list[str], message: str) -> None:
    assert message in refused(command, *more)


def test_a_cluster_of_another_kind_is_refused() -> None:
    with pytest.raises(cluster.InputError, match="run this command on a node of the cluster, with --address=auto"):
        cluster.ray_cluster("ray://127.0.0.1:1", None).__enter__()


def test_ray_that_does_not_start_is_told_in_one_line(monkeypatch) -> None:
    import ray

    def fail(**options):
        raise OSError("[Errno 98]\nAddress already in use")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(cluster.InputError) as caught:
        cluster.ray_cluster(None, None).__enter__()
    message = str(caught.value)
    assert message.startswith("Ray does not start on this machine ([Errno 98] Address already in use); end what")
    assert "`ray stop`" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["hyperopt", "optuna", "bayesopt"])
def test_a_missing_searcher_names_its_extra(refused, monkeypatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "bayes_opt" if name == "bayesopt" else name, None)
    assert "pip install 'recbole-llmdistill[tune]'" in refused("tune", f"--searcher={name}")


def test_bayesopt_is_told_what_it_cannot_search(refused, tmp_path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE + "n_layers: {choice: [1, 2]}\n")
    assert "--searcher=bayesopt searches ranges of numbers, and n_layers is a choice" in refused(
        "tune", "--searcher=bayesopt"
    )


def test_a_folder_with_another_search_is_refused(refused, tmp_path) -> None:
    SearchFolder(tmp_path / "found").open({"model": "SASRec", "dataset": "tiny"}, resume=False)
    assert '--out=found holds another search (dataset "tiny"' not in (error := refused("tune", "--resume"))
    assert 'model "SASRec" there, "SASRecDistill" here' in error


@pytest.mark.parametrize("name", SEARCHERS)
def test_the_same_seed_draws_the_same_trials(tmp_path, name: str) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    space = read_space(tmp_path / "space.yaml")
    real = needs_real_domains(name)

    def draw(seed: int) -> list[dict]:
        from ray.tune.search.searcher import Searcher
        from ray.tune.search.variant_generator import generate_variants

        searcher = build_searcher(name, seed, None)
        domains = space.real_domains() if real else space.domains()
        if not isinstance(searcher, Searcher):
            variants = [next(generate_variants(domains, random_state=searcher._random_state))[1] for _ in range(8)]
            return [space.decode(variant) for variant in variants]
        searcher.set_search_properties("best_score", "max", domains)
        drawn = []
        for number in range(8):
            drawn.append(space.decode(searcher.suggest(f"t{number}"), real))
            result = {"best_score": drawn[-1]["learning_rate"], "training_iteration": 1}
            if number == 3:
                searcher.on_trial_complete("t3", error=True)
            else:
                searcher.on_trial_result(f"t{number}", result)
                searcher.on_trial_complete(f"t{number}", result)
        return drawn

    first = draw(1)
    assert first == draw(1)
    assert first != draw(2)
    assert len({str(values) for values in first}) == 8
    for values in first:
        assert 0.001 <= values["learning_rate"] <= 0.02
        assert values["hidden_dropout_prob"] in (0.1, 0.2, 0.3, 0.4, 0.5)
        assert 0.1 <= values["distill_alpha"] <= 0.8


def test_bayesopt_does_not_wait_for_ever_for_a_trial_that_failed(tmp_path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    searcher = build_searcher("bayesopt", 1, None)
    searcher.set_search_properties("best_score", "max", read_space(tmp_path / "space.yaml").real_domains())
    for number in range(25):
        assert searcher.suggest(f"t{number}") is not None
        failed = number in (2, 9)
        searcher.on_trial_complete(f"t{number}", None if failed else {"best_score": number}, error=failed)


def test_options_have_the_defaults_of_the_command_line(monkeypatch) -> None:
    parsed = run_hyper.build_parser().parse_args([])
    for name, field in SearchOptions.model_fields.items():
        if name != "out":
            assert getattr(parsed, name) == field.default, name


def start(command: list[str], output: Path) -> subprocess.Popen:
    if not any(argument.startswith("--epochs") for argument in command):
        command = [*command, "--epochs=4"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(output, "w") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "recbole_llmdistill.cli.run_hyper", *command],
            env=environment, stdout=stream, stderr=stream,
        )  # fmt: skip


def search(command: list[str], status: int = 0) -> str:
    process = start(command, Path("output.txt"))
    assert process.wait(timeout=400) == status, Path("output.txt").read_text()[-3000:]
    return Path("output.txt").read_text()


def rows(out: str = "found") -> list[dict]:
    with open(Path(out, "trials.csv")) as file:
        return list(csv.DictReader(file))


def without_time(table: list[dict]) -> list[dict]:
    return [{**row, "seconds": ""} for row in table]


def best(out: str = "found") -> dict:
    return json.loads(Path(out, "best.json").read_text())


def test_a_search_from_its_space_to_its_winner(arguments, tmp_path) -> None:
    (tmp_path / "space.yaml").write_text("learning_rate: {choice: [0.01, 0.001]}\nhidden_size: {choice: [16, 15]}\n")
    command = [argument for argument in arguments if "hidden_size" not in argument]
    output = search([*command, "--trials=4", "--epochs=2", "--scheduler=none", "--output_file=all.result"])
    table = rows()
    assert {row["status"] for row in table} == {"finished", "failed"}  # the draws of this seed
    for row in table:
        assert (row["status"] == "failed") == (row["hidden_size"] == "15")
        assert ("is not a multiple of the number of attention heads" in row["reason"]) == (row["status"] == "failed")
        assert f"trial {row['trial']} {row['status']}" in output
    assert "Traceback" not in output
    assert "not a multiple" in Path("found", "failures", f"trial_{_first_failed(table)}.txt").read_text()
    result = best()
    finished = [row for row in table if row["status"] == "finished"]
    assert result["score_in_search"] == max(float(row["valid NDCG@10"]) for row in finished)
    assert result["valid_score"] == result["score_in_search"]
    assert [path.name for path in Path("saved").iterdir()] == [Path(result["checkpoint"]).name]
    assert torch.load(result["checkpoint"], weights_only=True)["best_valid_score"] == result["valid_score"]
    assert Path("all.result").read_text().count("Valid result:") == len(finished)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("dataset", "space.yaml", "found", "saved", "output.txt", "all.result")
    }


def _first_failed(table: list[dict]) -> str:
    return next(row["trial"] for row in table if row["status"] == "failed")


@pytest.mark.slow
def test_a_search_without_a_trial_that_finishes(arguments, tmp_path) -> None:
    command = [argument for argument in arguments if "hidden_size" not in argument]
    output = search([*command, "--trials=2", "--hidden_size=15"], status=2)
    assert "error: no trial finished; 2 of 2 failed, trial 1 by ValueError: The hidden size (15)" in output
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


def evaluations(journal: str) -> list[dict]:
    return [json.loads(line) for line in journal.splitlines() if '"evaluation"' in line and line.endswith("}}")]


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
    assert seen == sorted(set(seen))  # one trial after the other, none begun anew
    assert len(seen) == sum(int(row["epochs"]) for row in rows())


@pytest.mark.slow
def test_a_time_budget_ends_the_search_with_a_winner(arguments) -> None:
    output = search([*arguments, "--trials=50", "--epochs=300", "--stopping_step=300", "--time-budget=25"])
    assert "out of time" in output
    assert best()["test_result"]


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
