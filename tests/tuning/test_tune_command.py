"""``llmdistill tune`` and ``run_hyper``: bad input in one line, options, searchers; Ray is not started here."""

import sys

import pytest
from on_ray import SPACE

from recbole_llmdistill.api.tune import TuneOptions, tune
from recbole_llmdistill.cli import llmdistill, run_hyper
from recbole_llmdistill.cli.options import from_arguments
from recbole_llmdistill.tuning import search
from recbole_llmdistill.tuning.folder import SearchFolder
from recbole_llmdistill.tuning.searchers import SEARCHERS, build_searcher, needs_real_domains
from recbole_llmdistill.tuning.space_file import read_space


@pytest.fixture
def refused(arguments, monkeypatch, capsys):
    """Function (command, more arguments) -> the line that the command ends with; Ray must not be asked for."""

    def run(command: str, *more: str) -> str:
        monkeypatch.setattr(search, "ray_cluster", None)
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
        (["--time-budget=-1"], "--time-budget=-1: input should be greater than 0"),
        (["--address=ray://127.0.0.1:1"], "run this command on a node of the cluster, with --address=auto"),
        (["--device=cpu"], "--device: RecBole sets it itself"),
        (
            ["--early-stop-metric=Recall@10", "--valid_metric=NDCG@10"],
            "--valid_metric is given twice, as NDCG@10",
        ),
        (["--vectors_path=nowhere"], "vectors_path: nowhere does not exist"),
    ],
)
def test_bad_arguments(refused, command: str, more: list[str], message: str) -> None:
    assert message in refused(command, *more)


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
    error = refused("tune", "--resume", "--epochs=3")
    assert "--out=found holds another search (--epochs null there, 3 here; " in error
    assert 'model "SASRec" there, "SASRecDistill" here' in error
    assert 'dataset "tiny"' not in error


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
        assert {type(value) for value in values.values()} == {float}  # none of NumPy's
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
    assert from_arguments(TuneOptions, run_hyper.build_parser().parse_args([])) == TuneOptions()


def test_from_python_a_command_line_counts_for_nothing(tiny, tmp_path, monkeypatch) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    seen = {}

    def run_search(asked) -> dict:
        seen["settings"], seen["out"] = asked.settings, asked.options.out
        asked.options.out.mkdir(parents=True)
        (asked.options.out / "trials.csv").write_text("trial,status,reason\n0,finished,\n1,failed,too large\n")
        return {"settings": "best.yaml", "page": "search.html", "checkpoint": "saved/x.pth"}

    monkeypatch.setattr(search, "run_search", run_search)
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json", "--epochs=7"])
    result = tune(
        TuneOptions(
            model="SASRecDistill", dataset="tiny", space=tmp_path / "space.yaml", seed=4,
            settings={"data_path": str(tiny.parent), "epochs": 2, "topk": [10]},
        )
    )  # fmt: skip
    assert (seen["settings"]["epochs"], seen["settings"]["seed"], seen["settings"]["topk"]) == (2, 4, [10])
    assert str(seen["out"]) == "tune/SASRecDistill-tiny"
    assert result.failures == {1: "too large"}
    assert sys.argv == ["ipykernel_launcher.py", "-f", "kernel.json", "--epochs=7"]
