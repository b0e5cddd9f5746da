"""``llmdistill recommend``: files in, a file out; whatever is wrong with them is one line and status 2."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pyarrow import parquet
from tiny_dataset import N_ITEMS, N_USERS

import recbole_llmdistill
from recbole_llmdistill.api.recommend import RecommendOptions
from recbole_llmdistill.cli.llmdistill import main
from recbole_llmdistill.errors import InputError


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Function (arguments) -> status, output, errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["llmdistill", "recommend", *map(str, arguments)])
        capsys.readouterr()
        return main(), *capsys.readouterr()

    return run


@pytest.fixture
def model(prepare, tmp_path) -> Path:
    """A checkpoint, whose data set is still there."""
    prepared = prepare(epochs=1, distill_epochs=1)
    prepared.trainer.fit(prepared.train_data, prepared.valid_data)
    shutil.move(prepared.trainer.saved_model_file, tmp_path / "model.pth")
    return tmp_path / "model.pth"


def rows(*lines: object) -> Path:
    path = Path("rows.jsonl")
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_sequences(command, model, tiny) -> None:
    shutil.rmtree(tiny)
    path = rows({"user_id": "ann", "item_ids": ["i1", "gone", "i2"]}, ["i3"], [])
    status, out, err = command("--checkpoint", model, "--sequences", path, "--topk", 4, "--out", "r.parquet")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "r.parquet: items for 3 users",
        "1 of them got the most popular items, as the model knows nothing of them",
        "1 items of their sequences are unknown to the model and were passed over",
    ]
    found = parquet.read_table("r.parquet").to_pylist()
    assert [row["user_id"] for row in found] == ["ann"] * 4 + ["2"] * 4 + ["3"] * 4
    assert [row["source"] for row in found] == ["model"] * 8 + ["popularity"] * 4
    by_python = recbole_llmdistill.Recommender.load(model).recommend([["i1", "i2"]], k=4)[0]
    assert [row["item_id"] for row in found[:4]] == by_python.items


def test_all_users_and_some(command, model) -> None:
    arguments = ["--checkpoint", model, "--exclude-seen", "--topk", 3]
    status, out, err = command(*arguments, "--users", "all", "--out", "all.jsonl")
    assert (status, out, err) == (0, f"all.jsonl: items for {N_USERS} users\n", "")
    everybody = {row["user_id"]: row for row in map(json.loads, Path("all.jsonl").read_text().splitlines())}
    Path("users").write_text("u7\nstranger\nu3\n")
    status, out, err = command(*arguments, "--users", "users", "--out", "some.jsonl")
    assert status == 0
    assert err.startswith("warning: --users=users: 1 of 3 users (the first is 'stranger') are not known; ")
    assert err.count("\n") == 1
    some = [json.loads(line) for line in Path("some.jsonl").read_text().splitlines()]
    assert [row["user_id"] for row in some] == ["u7", "stranger", "u3"]
    assert [row["source"] for row in some] == ["model", "popularity", "model"]
    assert some[0]["item_ids"] == everybody["u7"]["item_ids"]


def test_broken_rows_end_it_or_are_counted(command, model) -> None:
    path = rows(["i1"], "broken\n", ["i2"], "{}\n")
    arguments = ["--checkpoint", model, "--sequences", path, "--topk", 1, "--out", "r.csv"]
    status, out, err = command(*arguments)
    assert (status, out, Path("r.csv").exists()) == (2, "", False)
    assert err.startswith("error: rows.jsonl, row 2: no JSON")
    assert err.count("\n") == 1
    status, out, err = command(*arguments, "--on-error", "skip")
    assert status == 0
    assert out == "r.csv: items for 2 users\n2 rows could not be read and were passed over\n"
    assert err.startswith("warning: rows.jsonl, row 2: no JSON")
    assert err.count("\n") == 1


def test_candidates_and_overwriting(command, model) -> None:
    Path("few.txt").write_text("i4\ni5\n")
    Path("r.csv").write_text("old")
    arguments = ["--checkpoint", model, "--sequences", rows(["i1"]), "--candidates", "few.txt", "--out", "r.csv"]
    status, _, err = command(*arguments)
    assert (status, err) == (2, "error: --out=r.csv exists; give another name, or --overwrite\n")
    assert command(*arguments, "--overwrite")[2] == "error: --topk=20: must be from 1 to the 2 candidates\n"
    assert Path("r.csv").read_text() == "old"
    assert command(*arguments, "--overwrite", "--topk", 2)[0] == 0
    assert {line.split(",")[2] for line in Path("r.csv").read_text().splitlines()[1:]} == {"i4", "i5"}


def with_nan(file: Path) -> None:
    state = torch.load(file, weights_only=True)
    state["state_dict"]["position_embedding.weight"][0, 0] = torch.nan
    torch.save(state, file)


def without_tokens(file: Path) -> None:
    state = torch.load(file, weights_only=True)
    del state["token_tables"]
    torch.save(state, file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topk", N_ITEMS + 1], f"--topk=61: must be from 1 to the {N_ITEMS} items in the catalogue"),
        (["--topk", "0"], "--topk=0: input should be greater than or equal to 1"),
        (["--topk", "many"], "--topk=many: input should be a valid integer"),
        (["--candidates", "none.txt"], "--candidates=none.txt: cannot be read"),
        (["--candidates", "strange.txt"], "1 of 2 candidates are no items of"),
        (["--sequences", "none.jsonl"], "--sequences=none.jsonl: cannot be read (No such file or directory)"),
        (["--sequences", "bad.parquet"], "bad.parquet: no readable parquet file"),
        (["--users", "all"], "give one of --users (of the data set) and --sequences (a file)"),
        (["--checkpoint", "none.pth"], "checkpoint none.pth does not exist"),
        (["--checkpoint", "strange.txt"], "strange.txt is not a readable checkpoint"),
        (["--checkpoint", "nan.pth"], "nan.pth: the weight position_embedding.weight holds NaN"),
        (["--checkpoint", "older.pth"], "older.pth does not hold the tokens of its items"),
        (["--out", "none/r.csv"], "--out=none/r.csv: the folder none does not exist"),
        (["--out", "r.xlsx"], "--out=r.xlsx: the name ends with none of .parquet, .csv, .jsonl"),
        (["--learning_rate=1"], "argument '--learning_rate=1' is not understood"),
    ],
)  # fmt: skip
def test_one_line_and_status_2(command, model, arguments: list, message: str) -> None:
    Path("strange.txt").write_text("i1\nx\n")
    Path("bad.parquet").write_text("PAR1")
    for name, change in (("nan.pth", with_nan), ("older.pth", without_tokens)):
        change(Path(shutil.copy(model, name)))
    usual = ["--checkpoint", model, "--sequences", rows(["i1"]), "--out", "r.csv"]
    status, out, err = command(*usual, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("r.csv").exists()


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("a\nb\n", "2 of 2 users (the first is 'a') are not known; give users of the data set, or --sequences"),
        ("u1\n'u2'\n", "1 users are written otherwise than in the data set (the first is \"'u2'\", there 'u2')"),
        ("", "the file is empty"),
    ],
)
def test_users_that_nobody_knows(command, model, users: str, message: str) -> None:
    Path("users").write_text(users)
    status, _, err = command("--checkpoint", model, "--users", "users", "--topk", 3, "--out", "r.csv")
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


def test_without_the_data_set_users_cannot_be_looked_up(command, model, tiny, tmp_path) -> None:
    tiny.parent.rename(tmp_path / "moved")
    arguments = ["--checkpoint", model, "--users", "all", "--topk", 3, "--out", "r.csv"]
    status, _, err = command(*arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert "was trained on the data set tiny, which is not in" in err
    assert "--data-path" in err
    assert command(*arguments, "--data-path", tmp_path / "moved")[0] == 0


def test_the_front_door(model) -> None:
    options = RecommendOptions(checkpoint=model, sequences=rows(["i1"], [], ["x"], "3\n"), out="r.jsonl", topk=5)
    with pytest.raises(InputError, match=r"rows\.jsonl, row 4"):
        recbole_llmdistill.recommend(options)
    result = recbole_llmdistill.recommend(options, on_error="skip")
    assert (result.file, result.users, result.popular, result.unknown_items, result.broken_rows) == (
        Path("r.jsonl"), 3, 2, 1, 1,
    )  # fmt: skip
    assert len(result.messages.warnings) == 1
    assert "recommend" in recbole_llmdistill.__all__
    assert "Recommender" in recbole_llmdistill.__all__
