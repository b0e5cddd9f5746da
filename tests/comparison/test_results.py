"""The results folder: append-only, of one data set, for one writer at a time."""

import json
import os

import numpy as np
import pytest

from recbole_llmdistill.comparison.results import ResultsFolder, Run
from recbole_llmdistill.errors import InputError

PRINTS = {"training": "sha256:1", "test": "sha256:2"}
RUN = Run("A (whole), b", "0123abcd", 4)


def add(folder: ResultsFolder, run: Run = RUN, **result) -> dict:
    np.savez(folder.scratch(run) / "cases.npz", **{"ndcg@10": np.array([0.0, 1.0], dtype=np.float32)})
    return folder.add(run, {"status": "done", "test": {"ndcg@10": 0.5}, **result})


def test_a_result_is_there_again(tmp_path) -> None:
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        assert folder.done(RUN) is None
        add(folder)
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        record = folder.done(RUN)
        assert record["test"] == {"ndcg@10": 0.5}
        assert folder.values(record, "ndcg@10").tolist() == [0.0, 1.0]
        assert folder.values(record, "nll") is None
        assert folder.done(Run(RUN.label, RUN.identity, 5)) is None
        assert folder.done(Run(RUN.label, "other", 4)) is None
        assert folder.done(Run("another label", RUN.identity, 4)) == record  # the same settings are the same run


def test_a_failure_is_told_and_tried_again(tmp_path) -> None:
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        folder.scratch(RUN)
        folder.add(RUN, {"status": "failed", "reason": "too large"})
        assert folder.done(RUN) is None
        assert folder.failure(RUN) == "too large"
        add(folder)
        assert folder.done(RUN) is not None


def test_a_killed_writer_loses_its_line_alone(tmp_path) -> None:
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        add(folder)
    results = tmp_path / "results.jsonl"
    results.write_bytes(results.read_bytes() + b'{"label": "half of a')
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        assert folder.done(RUN) is not None
        add(folder, Run("second", "ff", 0))
    assert [json.loads(line)["label"] for line in results.read_text().splitlines()] == [RUN.label, "second"]


def test_a_lost_file_of_cases_is_made_again(tmp_path) -> None:
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        record = add(folder)
        (tmp_path / record["cases"]).unlink()
        assert folder.done(RUN) is None


@pytest.mark.parametrize(
    ("dataset", "prints", "message"),
    [
        ("other", PRINTS, r"results.jsonl, line 1: results of the data set 'tiny' .* give another --out"),
        ("tiny", {**PRINTS, "test": "sha256:3"}, "line 1: results of another split of 'tiny'"),
        ("tiny", {**PRINTS, "training": "sha256:3"}, "line 1: results of another split of 'tiny'"),
    ],
)
def test_results_of_other_data_are_refused(tmp_path, dataset: str, prints: dict, message: str) -> None:
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:
        add(folder)
    with pytest.raises(InputError, match=message):
        ResultsFolder(tmp_path, dataset, prints)
    with ResultsFolder(tmp_path, "tiny", PRINTS) as folder:  # refusing leaves the folder usable
        assert folder.done(RUN) is not None


def test_one_writer_at_a_time(tmp_path) -> None:
    with (
        ResultsFolder(tmp_path, "tiny", PRINTS),
        pytest.raises(InputError, match="another command is writing there"),
    ):
        ResultsFolder(tmp_path, "tiny", PRINTS)


def test_a_broken_line_and_an_unwritable_folder(tmp_path) -> None:
    (tmp_path / "results.jsonl").write_text('{"label": 1}\n')
    with pytest.raises(InputError, match="line 1: no record with 'identity'"):
        ResultsFolder(tmp_path, "tiny", PRINTS)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--out=.*file/x: cannot be written"):
        ResultsFolder(tmp_path / "file" / "x", "tiny", PRINTS)


def test_names_of_files_are_plain() -> None:
    assert RUN.name == "A-whole-b-seed4-0123abcd"
    assert os.path.basename(Run("x/../y", "i", 0).name) == "x-y-seed0-i"
