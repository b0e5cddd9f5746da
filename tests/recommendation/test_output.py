"""Recommendations are written as they come, and appear as a whole or not at all."""

import csv
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.recommendation import output
from recbole_llmdistill.recommendation.output import check_output, written
from recbole_llmdistill.recommendation.recommender import Recommendation

FOUND = [
    Recommendation("ann", ["a,b", 'c"d'], [0.5, -1.25], "model", 3),
    Recommendation("ü", [], [], "model", 0),
    Recommendation("bob", ["x"], [17.0], "popularity", 1),
]
LONG = [
    ("ann", 1, "a,b", 0.5, "model"),
    ("ann", 2, 'c"d', -1.25, "model"),
    ("bob", 1, "x", 17.0, "popularity"),
]


def write(path: Path) -> Path:
    with written(path) as take:
        for recommendation in FOUND:
            take(recommendation)
    return path


def test_parquet(tmp_path) -> None:
    table = parquet.read_table(write(tmp_path / "r.parquet"))
    assert table.column_names == ["user_id", "rank", "item_id", "score", "source"]
    assert [tuple(row.values()) for row in table.to_pylist()] == LONG


def test_csv(tmp_path) -> None:
    with open(write(tmp_path / "r.csv"), newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["user_id", "rank", "item_id", "score", "source"]
    assert [(u, int(r), i, float(s), o) for u, r, i, s, o in rows] == LONG


def test_json_lines(tmp_path) -> None:
    rows = [json.loads(line) for line in write(tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [Recommendation(*row.values()) for row in rows] == FOUND
    assert list(rows[0]) == ["user_id", "item_ids", "scores", "source", "unknown_items"]


def test_parquet_is_written_by_row_groups(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(output, "ROW_GROUP", 10)
    with written(tmp_path / "r.parquet") as take:
        for number in range(100):
            take(Recommendation(f"u{number}", ["a", "b", "c"], [3.0, 2.0, 1.0], "model", 0))
    file = parquet.ParquetFile(tmp_path / "r.parquet")
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sum(groups) == 300
    assert max(groups) <= 10 + 2


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_no_users_are_a_file_as_well(tmp_path, suffix: str) -> None:
    with written(tmp_path / f"r.{suffix}"):
        pass
    assert (tmp_path / f"r.{suffix}").is_file()
    if suffix == "parquet":
        assert parquet.read_table(tmp_path / "r.parquet").num_rows == 0


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_what_fails_leaves_the_file_before(tmp_path, suffix: str) -> None:
    path = tmp_path / f"r.{suffix}"
    path.write_text("before")

    def fail_at_the_second() -> None:
        with written(path) as take:
            take(FOUND[0])
            raise InputError("row 2")

    with pytest.raises(InputError, match="row 2"):
        fail_at_the_second()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "there.csv").write_text("")
    for name, message in {
        "r.txt": r"ends with none of \.parquet, \.csv, \.jsonl",
        "folder.csv": "is a folder",
        "there.csv": "exists; give another name, or --overwrite",
        "none/r.csv": "the folder .*none does not exist",
    }.items():
        with pytest.raises(InputError, match=f"--out=.*{message}"):
            check_output(tmp_path / name, overwrite=False)
    check_output(tmp_path / "there.csv", overwrite=True)
    with pytest.raises(InputError, match=r"--out=.*none/r\.csv: cannot be written"), written(tmp_path / "none/r.csv"):
        pass


def test_a_full_disk(monkeypatch) -> None:
    with pytest.raises(InputError, match=r"--out=/dev/full\S*: cannot be written"), written(Path("/dev/full/r.csv")):
        pass
