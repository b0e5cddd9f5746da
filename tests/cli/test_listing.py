"""``llmdistill encoders ls`` and its like show what there is, and ``prompts cp`` copies a prompt."""

from pathlib import Path

import pytest
import yaml

from recbole_llmdistill.cli.listing import LISTS
from recbole_llmdistill.cli.llmdistill import LISTS as NAMES
from recbole_llmdistill.files.resources import checkout
from recbole_llmdistill.profiles.prompts import load_prompt


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("encoders", ["tfidf", "openai:MODEL"]),
        ("llms", ["hf:MODEL", "none:summary"]),
        ("reducers", ["pca", "umap"]),
        ("converters", ["movielens", "csv"]),
        ("losses", ["contrastive", "cosine", "mse", "rmse"]),
        ("prompts", ["movies-long", "neutral-short"]),
        ("presets", ["paper"]),
    ],
)
def test_what_there_is_stands_in_a_line_each(llmdistill, kind: str, some: list[str]) -> None:
    status, out, err = llmdistill(kind, "ls")
    assert status == 0, err
    rows = [line.split(None, 1) for line in out.splitlines()]
    assert all(len(row) == 2 for row in rows)
    assert set(some) <= {row[0] for row in rows}


def test_every_list_is_a_command() -> None:
    assert tuple(LISTS) == NAMES


def test_every_shipped_prompt_is_listed_with_its_own_description(llmdistill) -> None:
    _, out, _ = llmdistill("prompts", "ls")
    for file in (checkout() / "properties" / "prompts").glob("*.yaml"):
        assert f"{yaml.safe_load(file.read_text())['description']}\n" in out, file


def test_a_copied_prompt_is_one_to_give_to_generate(llmdistill, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = llmdistill("prompts", "cp", "movies-short")
    assert (status, out) == (0, "movies-short.yaml: edit it, then llmdistill generate --prompt movies-short.yaml\n")
    assert load_prompt("movies-short.yaml").hash == load_prompt("movies-short").hash
    status, _, _ = llmdistill("prompts", "cp", "movies-short", "mine.yaml")
    assert (status, load_prompt("mine.yaml").name) == (0, "mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cp", "nonsense"], "error: no prompt 'nonsense'; known: "),
        (["cp", "tastes", "there.yaml"], "error: there.yaml exists already; name another file"),
        (["cp", "tastes", "missing/there.yaml"], "error: missing/there.yaml: cannot be written (No such file"),
        (["cp", "tastes", "there.txt"], "error: there.txt: a prompt is a file that ends in .yaml"),
        (["ls", "--all"], "error: argument '--all' is not understood"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(llmdistill, tmp_path, monkeypatch, arguments, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("mine\n")
    status, _, err = llmdistill("prompts", *arguments)
    assert status == 2
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert Path("there.yaml").read_text() == "mine\n"
