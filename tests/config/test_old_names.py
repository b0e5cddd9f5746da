"""Settings under the names that they had before are understood, with a hint."""

import sys
from pathlib import Path

import pytest
from recbole.config import Config

from recbole_llmdistill.compat.checkpoints import read_checkpoint, write_checkpoint
from recbole_llmdistill.config.old_names import NEW_NAMES, renamed
from recbole_llmdistill.config.settings import check_keys, fields
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import warn_once
from recbole_llmdistill.training.resume import _NEEDED, check_same_run
from recbole_llmdistill.tuning.space_file import read_space


@pytest.fixture(autouse=True)
def _hints_again():
    warn_once.cache_clear()


def test_every_new_name_is_one_of_ours_and_no_old_one_is() -> None:
    assert set(NEW_NAMES.values()) <= fields().keys()
    assert not set(NEW_NAMES) & fields().keys()


def test_in_a_dictionary(configure, caplog) -> None:
    config = configure(train_sequences="prefix", profile_control="shuffled", hidden_size=32)
    assert (config["sequence_training"], config["vectors_control"], config["hidden_size"]) == ("prefix", "shuffled", 32)
    assert "train_sequences" not in config.final_config_dict
    assert "train_sequences is now called sequence_training" in caplog.text


def test_in_a_file_and_on_the_command_line_which_counts_for_more(tiny, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("distill_window_overlap: 0.25\ndistill_negatives: 64\n")
    monkeypatch.setattr(sys, "argv", ["program", "--distill_negatives=32", f"--data_path={tiny.parent}"])
    config = Config("SASRecDistill", "tiny", config_file_list=[str(file)])
    assert (config["sequence_window_overlap"], config["sequence_negatives"]) == (0.25, 32)


def test_a_new_name_counts_for_more_where_it_stands_higher(tiny, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("distill_negatives: 64\n")
    monkeypatch.setattr(sys, "argv", ["program", "--sequence_negatives=32", f"--data_path={tiny.parent}"])
    assert Config("SASRecDistill", "tiny", config_file_list=[str(file)])["sequence_negatives"] == 32


def test_beside_the_data(configure, tiny) -> None:
    (tiny / "tiny.yaml").write_text("profile_min_coverage: 0.1\n")
    assert configure()["vectors_min_coverage"] == 0.1


def test_both_names_with_two_values_are_refused(configure) -> None:
    with pytest.raises(InputError, match=r"profile_path='a' and vectors_path='b' are one setting, vectors_path"):
        configure(profile_path="a", vectors_path="b")
    assert configure(profile_path="a", vectors_path="a")["vectors_path"] == "a"


def test_a_value_that_is_not_allowed_is_refused_under_the_new_name(configure) -> None:
    with pytest.raises(InputError, match=r"sequence_training='half': .*'whole' or 'prefix'"):
        configure(train_sequences="half")


@pytest.mark.parametrize(("key", "new"), [("train_sequenses", "sequence_training"), ("profile_pth", "vectors_path")])
def test_a_misspelt_old_name_leads_to_the_new_one(key: str, new: str) -> None:
    with pytest.raises(InputError, match=f"unknown key {key!r}: did you mean {new!r}"):
        check_keys([key])


def test_a_run_begun_under_old_names_goes_on(configure, tmp_path: Path, caplog) -> None:
    then, now = configure(sequence_precision="float32"), configure(sequence_precision="float32")
    old_names = {new: old for old, new in NEW_NAMES.items()}
    then.final_config_dict = {old_names.get(key, key): value for key, value in then.final_config_dict.items()}
    assert "distill_precision" in then.final_config_dict
    file = tmp_path / "run.resume"
    write_checkpoint({**dict.fromkeys(_NEEDED, 0), "config": then}, file)
    check_same_run(read_checkpoint(file), now, "run.resume")
    assert "is now called" not in caplog.text  # the user has not written them


def test_in_a_search_space(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("distill_popularity_smoothing: {uniform: [0.0, 0.3]}\n")
    assert list(read_space(file).distributions) == ["sequence_popularity_smoothing"]
    file.write_text(
        "distill_negatives: {choice: [1, 2]}\nsequence_negatives: {choice: [1, 2]}\n",
    )
    with pytest.raises(InputError, match="has a distribution already"):
        read_space(file)


def test_the_order_of_settings_stays() -> None:
    assert list(renamed({"a": 1, "profile_path": 2, "b": 3})) == ["a", "vectors_path", "b"]
