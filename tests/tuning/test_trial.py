"""A trial on lent data trains as RecBole alone would, and reports validation only, after every evaluation."""

import os
import pickle
import sys

import pytest
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from tiny_dataset import SMALL

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.tuning import trial
from recbole_llmdistill.tuning.records import TrialHistory, values_key
from recbole_llmdistill.tuning.settings_yaml import config_of
from recbole_llmdistill.tuning.shared_data import SharedData
from recbole_llmdistill.tuning.space import Choice, Space, Uniform

SPACE = Space(
    distributions={"learning_rate": Uniform(low=0.001, high=0.02), "MAX_ITEM_LIST_LENGTH": Choice(values=[10, 6])}
)
MODELS = {
    "SASRecDistill": {},
    "BERT4RecDistill": {},
    "SASRec": {"train_neg_sample_args": None},
    "BPR": {"eval_args": {"mode": "uni20"}, "valid_metric": "MRR@10"},  # draws negatives, and shuffles the split
}


@pytest.fixture
def settings(tiny):
    """Function (model, more settings) -> what a user would have set."""

    def make(model: str, **more) -> dict:
        return {"model": model, "dataset": "tiny", "data_path": str(tiny.parent), **SMALL, **MODELS[model], **more}

    return make


@pytest.fixture
def run(monkeypatch):
    """Function (settings, drawn, histories) -> what a trial reports, on data that went through pickle."""

    def train(given: dict, drawn: dict, histories: dict | None = None) -> list[dict]:
        reported: list[dict] = []
        monkeypatch.setattr(trial.tune, "report", lambda result: reported.append(dict(result)))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        setup = trial.TrialSetup(given, SPACE, False, 1, os.getcwd(), histories or {})
        data = pickle.loads(pickle.dumps(SharedData.build(config_of(given))))
        trial.run_trial(drawn, setup, data)
        return reported

    return train


def recbole_alone(given: dict, values: dict) -> list[float]:
    """Validation metric of each epoch by RecBole's own steps, each trial with a data set of its own."""
    config = Config(config_dict={**given, **values})
    init_seed(config["seed"], config["reproducibility"])
    train_data, valid_data, _ = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, train_data._dataset)
    scores: list[float] = []
    get_trainer(config["MODEL_TYPE"], config["model"])(config, model).fit(
        train_data, valid_data, verbose=False, saved=False, callback_fn=lambda epoch, score: scores.append(score)
    )
    return scores


@pytest.mark.parametrize("choice", [0, 1], ids=["lent data", "its own data"])
@pytest.mark.parametrize("model", MODELS)
def test_reports_what_recbole_alone_reaches(settings, run, model: str, choice: int) -> None:
    given = settings(model)
    reported = run(given, {"learning_rate": 0.01, "MAX_ITEM_LIST_LENGTH": choice})
    expected = recbole_alone(given, {"learning_rate": 0.01, "MAX_ITEM_LIST_LENGTH": [10, 6][choice]})
    assert [result["score"] for result in reported[:-1]] == expected
    assert [result["epoch"] for result in reported] == [1, 2, 3, 4, 4]
    assert [result["best_score"] for result in reported[:-1]] == [max(expected[: n + 1]) for n in range(4)]
    assert expected[reported[-1]["best_epoch"] - 1] == max(expected)
    assert reported[-1]["ended"]


def test_leaves_no_files_and_no_arguments_behind(settings, run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["worker.py", "--learning_rate=7"])
    before = set(tmp_path.rglob("*"))
    run(settings("SASRecDistill"), {"learning_rate": 0.01, "MAX_ITEM_LIST_LENGTH": 0})
    assert set(tmp_path.rglob("*")) == before


def test_only_data_settings_call_for_another_data_set(settings) -> None:
    given = settings("SASRecDistill")
    data = SharedData.build(config_of(given))
    fitting = {
        "learning_rate": 0.5,
        "train_batch_size": 3,
        "hidden_size": 8,
        "epochs": 1,
        "vectors_control": "shuffled",
    }
    for key, value in fitting.items():
        assert data.fits(config_of({**given, key: value})), key
    other = {
        "MAX_ITEM_LIST_LENGTH": 7,
        "sequence_training": "prefix",
        "seed": 3,
        "user_inter_num_interval": "[9,inf)",
        "rm_dup_inter": "first",
        "eval_args": {"split": {"LS": "valid_only"}, "order": "TO"},
    }
    for key, value in other.items():
        assert not data.fits(config_of({**given, key: value})), key


def test_lent_data_know_the_settings_of_the_trial(settings) -> None:
    given = settings("SASRecDistill")
    data = SharedData.build(config_of(given))
    config = config_of({**given, "vectors_path": "elsewhere", "train_batch_size": 5})
    train_data, _, _ = data.loaders(config)
    assert train_data._dataset.config["vectors_path"] == "elsewhere"
    assert train_data.batch_size == 5
    assert data.parts[0].config["vectors_path"] is None


def test_a_recorded_trial_is_reported_again_and_not_trained(settings, run, monkeypatch) -> None:
    drawn = {"learning_rate": 0.01, "MAX_ITEM_LIST_LENGTH": 0}
    given = settings("SASRecDistill")
    reported = run(given, drawn)
    key = values_key(SPACE.decode(drawn))
    evaluations = [{k: v for k, v in result.items() if k != "ended"} for result in reported[:-1]]

    half = run(given, drawn, {key: TrialHistory(evaluations[:2])})
    assert [{**result, "seconds": 0} for result in half] == [{**result, "seconds": 0} for result in reported]
    assert half[:2] == evaluations[:2]

    monkeypatch.setattr(trial, "prepare", None)  # training would fail
    assert run(given, drawn, {key: TrialHistory(evaluations, ended=True)})[:-1] == evaluations


def test_a_failure_is_one_line_with_its_cause(settings, run) -> None:
    given = settings("SASRec", hidden_size=15)
    with pytest.raises(trial.TrialFailed, match=r"^ValueError: The hidden size .15. is not a multiple of") as caught:
        run(given, {"learning_rate": 0.01, "MAX_ITEM_LIST_LENGTH": 0})
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_split_without_validation_is_refused(settings) -> None:
    given = settings("SASRecDistill", eval_args={"split": {"LS": "test_only"}, "order": "TO"})
    with pytest.raises(InputError, match="no validation part"):
        SharedData.build(config_of(given))


def test_threads_are_those_that_were_asked_for(settings) -> None:
    config = config_of(settings("SASRecDistill"))
    trial.prepare(config, SharedData.build(config), threads=2)
    assert torch.get_num_threads() == 2
