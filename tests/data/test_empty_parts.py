"""A split that leaves a part without a row says so before anything is trained."""

from pathlib import Path

import pytest
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.quick_start import run_recbole
from tiny_dataset import SMALL

from recbole_llmdistill.errors import InputError

MODELS = ["SASRecDistill", "SASRec", "BPR"]


@pytest.fixture
def settings(tmp_path):
    """Function (model, interactions of each of 12 users, split) -> settings; times grow from user to user."""

    def make(model: str, lengths: list[int], split: dict, **more) -> dict:
        folder = tmp_path / "dataset" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        rows, time = [], 0
        for user in range(12):
            for item in range(lengths[user % len(lengths)]):
                time += 1
                rows.append(f"u{user}\ti{(user + item) % 15}\t3\t{time}")
        header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
        (folder / "own.inter").write_text("\n".join([header, *rows]) + "\n")
        base = {**SMALL, "data_path": str(folder.parent), "distill_alpha": 0.0, "epochs": 2, "distill_epochs": 0}
        if not model.endswith("Distill"):
            base = {key: value for key, value in base.items() if not key.startswith("distill")}
        if model == "SASRec":
            base["train_neg_sample_args"] = None
        return {**base, "eval_args": {"split": split, "order": "TO", "group_by": "user", "mode": "full"}, **more}

    return make


def prepare(model: str, settings: dict) -> list[int]:
    config = Config(model, "own", config_dict=settings)
    return [len(loader) for loader in data_preparation(config, create_dataset(config))]


def told(caplog) -> list[str]:
    return [record.message for record in caplog.records if "leaves no row" in record.message]


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec"])
def test_users_of_two_interactions_cannot_be_evaluated(settings, model) -> None:
    """A sequence's first item is no row: of two interactions the second one trains."""
    with pytest.raises(
        InputError, match=r"leaves no row for the validation and the test part: all 12 are for training"
    ):
        prepare(model, settings(model, [2], {"LS": "valid_and_test"}))


@pytest.mark.parametrize("split", [{"RS": [1, 0, 0]}, {"LS": "test_only"}, {"LS": "valid_only"}])
@pytest.mark.parametrize("model", MODELS)
def test_a_part_that_is_not_asked_for_may_be_empty(settings, model, split, caplog) -> None:
    sizes = prepare(model, settings(model, [4], split))
    assert sizes[0] > 0
    assert not told(caplog)


@pytest.mark.parametrize(
    ("model", "lengths"), [("SASRecDistill", [3, 2]), ("SASRec", [3]), ("BPR", [2])], ids=["ours", "SASRec", "BPR"]
)
def test_without_validation_the_last_epoch_is_tested(settings, model, lengths, caplog) -> None:
    result = run_recbole(model, "own", config_dict=settings(model, lengths, {"LS": "valid_and_test"}, state="WARNING"))
    assert result["best_valid_result"] is None
    assert 0 <= result["test_result"]["ndcg@10"] <= 1


def test_the_missing_part_is_told(settings, caplog) -> None:
    prepare("SASRecDistill", settings("SASRecDistill", [3], {"LS": "valid_and_test"}))
    assert [message.split("leaves")[1] for message in told(caplog)] == [
        " no row for the validation part: training does not stop early, and the model of its last epoch is kept"
    ]


@pytest.mark.parametrize("model", MODELS)
def test_a_moment_after_which_nothing_happens(settings, model, caplog) -> None:
    """All times are equal, so nothing lies behind the boundary of the test part."""
    given = settings(model, [6], {"TS": [0.6, 0.2, 0.2]})
    file = Path(given["data_path"], "own", "own.inter")
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *(row.rpartition("\t")[0] + "\t5" for row in rows)]) + "\n")
    sizes = prepare(model, given)
    assert sizes[1] > 0
    assert [message.split("leaves")[1] for message in told(caplog)] == [
        " no row for the test part: there is no test result"
    ]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("split", [{"RS": [0, 0.5, 0.5]}, {"TS": [0.0, 0.5, 0.5]}])
def test_nothing_to_train_on(settings, model, split) -> None:
    with pytest.raises(InputError, match=r"leave nothing for training|expected the shares of training"):
        prepare(model, settings(model, [2 if model == "BPR" else 3], split))


@pytest.mark.parametrize("model", ["SASRecDistill", "SASRec"])
def test_users_of_one_interaction_have_no_sequence(settings, model) -> None:
    with pytest.raises(InputError, match="leave nothing for training"):
        prepare(model, settings(model, [1], {"LS": "valid_and_test"}))
