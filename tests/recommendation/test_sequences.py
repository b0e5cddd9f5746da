"""Rows of every format come one by one; a broken one is named and costs nobody else anything."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.recommendation.sequences import UserSequence, read_sequences, read_tokens

ROWS = [("ann", ["a", "b"]), ("bob", []), ("7", ["ü", "10"])]


def read(path: Path) -> tuple[list[UserSequence], list[str]]:
    broken: list[str] = []
    return list(read_sequences(path, broken.append)), broken


def write(path: Path, named: bool) -> Path:
    """The rows in the format of the file's suffix."""
    users, items = zip(*ROWS, strict=True)
    if path.suffix == ".jsonl":
        lines = [json.dumps({"user_id": user, "item_ids": row} if named else row) for user, row in ROWS]
        path.write_text("\n".join(lines))
    elif path.suffix == ".csv":
        lines = [f'{user},"{" ".join(row)}"' if named else " ".join(row) or '""' for user, row in ROWS]
        path.write_text("\n".join(["user_id,item_ids" if named else "item_ids", *lines]) + "\n")
    elif path.suffix == ".txt":
        path.write_text("".join(" ".join(row) + "\n" for row in items))
    else:
        columns = {"other": [1, 2, 3], "item_ids": list(items)} | ({"user_id": list(users)} if named else {})
        parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet", "CSV"])
def test_users_and_items(tmp_path, suffix: str) -> None:
    path = write(tmp_path / f"rows.{suffix.lower()}", named=True).rename(tmp_path / f"x.{suffix}")
    assert read(path) == ([UserSequence(user, items) for user, items in ROWS], [])


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet", "txt"])
def test_rows_without_users_are_called_by_their_number(tmp_path, suffix: str) -> None:
    found, broken = read(write(tmp_path / f"rows.{suffix}", named=False))
    first = 2 if suffix == "csv" else 1
    assert broken == []
    assert found == [UserSequence(str(first + n), items, named=False) for n, (_, items) in enumerate(ROWS)]


def test_whole_numbers_are_tokens(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"user_id": 5, "item_ids": [1, "2"]}\n')
    parquet.write_table(pa.table({"user_id": [5], "item_ids": [[1, 2]]}), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert read(tmp_path / name) == ([UserSequence("5", ["1", "2"])], [])


def test_blanks_and_line_ends(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("a  b\tc\u00a0d \r\n\x0be\u2028f\r\n", newline="")
    assert [row.items for row in read(tmp_path / "a.txt")[0]] == [["a", "b", "c\u00a0d"], ["\x0be\u2028f"]]
    assert read_tokens(tmp_path / "a.txt", "--users") == ["a  b\tc\u00a0d", "\x0be\u2028f"]


BROKEN = {
    '{"item_ids": ["a"]': "no JSON",
    "[" * 100_000: "no JSON",
    "3": "neither a list of items nor an object with item_ids",
    '{"user_id": "u"}': "neither a list of items nor an object with item_ids",
    '{"item_ids": "a b"}': 'item_ids is no list, but "a b"',
    '{"item_ids": null}': "item_ids is no list, but null",
    "[1.5]": "item 1.5 is neither text nor a whole number",
    "[true]": "item true is neither text nor a whole number",
    '["a", null]': "item null is neither text nor a whole number",
    '[["a"]]': 'item ["a"] is neither text nor a whole number',
    '{"user_id": [1], "item_ids": []}': "user [1] is neither text nor a whole number",
    '["\\ud800"]': "is no UTF-8 text",
}


def test_broken_lines_are_named_and_the_others_read(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{line}\n["good"]\n' for line in BROKEN))
    found, broken = read(path)
    assert [row.items for row in found] == [["good"]] * len(BROKEN)
    assert [row.user for row in found] == [str(2 * n) for n in range(1, len(BROKEN) + 1)]
    for number, (problem, reason) in enumerate(zip(broken, BROKEN.values(), strict=True)):
        assert problem.startswith(f"{path}, row {2 * number + 1}: ")
        assert reason in problem
        assert "\n" not in problem
        assert len(problem) < 400


def test_bytes_that_are_no_text_break_their_row_alone(tmp_path) -> None:
    for name, head in (("a.jsonl", b""), ("a.csv", b"item_ids\n"), ("a.txt", b"")):
        good, bad = (b'["x"]\n', b'["\xff"]\n') if name == "a.jsonl" else (b"x\n", b"y \xff\n")
        (tmp_path / name).write_bytes(head + good + bad + good)
        found, (broken,) = read(tmp_path / name)
        assert [row.items for row in found] == [["x"], ["x"]]
        assert f"row {3 if head else 2}: item '" in broken
        assert "is no UTF-8 text" in broken


def test_broken_csv_rows(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('user_id,item_ids\nu,a b,c\n"u"x,a\nv,a b\nw\n\nz,"a\nb"\n')
    found, broken = read(path)
    assert found == [UserSequence("v", ["a", "b"]), UserSequence("z", ["a", "b"])]
    assert [problem.removeprefix(f"{path}, ") for problem in broken] == [
        "row 2: 3 columns, the header has 2",
        "row 3: ',' expected after '\"'",
        "row 5: 1 columns, the header has 2",
    ]


def test_a_csv_cell_may_be_long(tmp_path) -> None:
    items = [f"item{n}" for n in range(50_000)]
    (tmp_path / "rows.csv").write_text("item_ids\n" + " ".join(items) + "\n")
    assert read(tmp_path / "rows.csv")[0][0].items == items


def test_an_error_ends_the_reading(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('["a"]\n3\n["b"]\n')

    def refuse(problem: str) -> None:
        raise InputError(problem)

    rows = read_sequences(path, refuse)
    assert next(rows).items == ["a"]
    with pytest.raises(InputError, match=r"rows\.jsonl, row 2: neither"):
        next(rows)


def cut_short(path: Path) -> None:
    parquet.write_table(pa.table({"item_ids": [["a"]] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])


def damaged_inside(path: Path) -> None:
    parquet.write_table(pa.table({"item_ids": [[f"a{n}"] for n in range(5000)]}), path)
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.parquet", lambda path: path.write_text("no parquet"), r"a\.parquet: no readable parquet file"),
        ("a.parquet", cut_short, "no readable parquet file"),
        ("a.parquet", damaged_inside, "no readable parquet file"),
        ("a.parquet", lambda path: parquet.write_table(pa.table({"x": [1]}), path), "no column item_ids, but x"),
        ("a.csv", lambda path: path.write_text("user_id,items\nu,a\n"), "no column item_ids, but user_id, items"),
        ("a.csv", lambda path: path.write_text(""), "no column item_ids, but none at all"),
        ("a.csv", lambda path: path.write_text('"a"b,c\n'), "row 1: "),
        ("a.json", lambda path: path.write_text("[]"), r"ends with none of \.jsonl, \.csv, \.parquet, \.txt"),
        ("a.jsonl", lambda path: None, r"cannot be read \(No such file"),
        ("a.jsonl", lambda path: path.mkdir(), r"cannot be read \(Is a dir"),
    ],
)  # fmt: skip
def test_an_unreadable_file_is_told_in_one_line(tmp_path, name: str, make, message: str) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        list(read_sequences(tmp_path / name, pytest.fail))
    assert "\n" not in str(caught.value)


def test_lists_of_tokens(tmp_path) -> None:
    (tmp_path / "items").write_text("\ufeffa\n\n b c \nd")
    assert read_tokens(tmp_path / "items", "--candidates") == ["a", "b c", "d"]
    (tmp_path / "items").write_text("\n")
    with pytest.raises(InputError, match=r"--candidates=.*empty"):
        read_tokens(tmp_path / "items", "--candidates")
    (tmp_path / "items").write_bytes(b"\xff")
    for path in (tmp_path / "items", tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match=r"--users=.*cannot be read"):
            read_tokens(path, "--users")
