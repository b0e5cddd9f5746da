"""Yaml and JSON that is broken, endless, huge or a program: one line that names the file, whoever reads it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recbole_llmdistill.cli.convert import add_parser  # noqa: F401  (the converters import)
from recbole_llmdistill.config.settings_file import check_settings_file
from recbole_llmdistill.data.user_vectors import check_split
from recbole_llmdistill.dataset_converters.description import describe
from recbole_llmdistill.dataset_converters.json_lines import records
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.journal import read_journal
from recbole_llmdistill.files.yaml_file import read_yaml
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.profiles.prompts import load_prompt
from recbole_llmdistill.tuning.folder import SearchFolder
from recbole_llmdistill.tuning.space_file import read_space

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
BAD_YAML = {
    "deep": ("a: " + "[" * 100_000, "nested more than 30 deep"),
    "deep and closed": ("a: " + "[" * 200 + "]" * 200, "line 1: nested more than 30 deep"),
    "holds itself": ("a: &a [*a]\n", "line 1: this value holds itself"),
    "mapping in itself": ("a: &a {b: *a}\n", "line 1: this value holds itself"),
    "alias bomb": (BOMB, "more than 100,000 values"),
    "python name": ("a: 1\nb: !!python/name:os.system ''\n", "line 2: the tag !!python/name:os.system is not allowed"),
    "python call": ("a: !!python/object/apply:os.system ['true']\n", "is not allowed"),
    "python tuple": ("a: !!python/tuple [1]\n", "is not allowed"),
    "own tag": ("a: !secret x\n", "the tag !secret is not allowed"),
    "merge of a number": ("a: 1\n<<: 3\n", "line 2: expected a mapping"),
    "merge of itself": ("a: &a\n  <<: *a\n", "this value holds itself"),
    "unknown alias": ("a: *b\n", "line 1: found undefined alias"),
    "impossible date": ("a: 2020-13-45\n", "month must be in 1..12"),
    "tag that does not fit": ("a: !!int x\n", "invalid literal"),
    "key twice": ("epochs: 3\nseed: 1\nepochs: 5\n", "line 3: the key 'epochs' stands there twice"),
    "list as key": ("[1, 2]: 3\n", "line 1: a key must be one word or number"),
    "two documents": ("a: 1\n---\nb: 2\n", "line 2: "),
    "tab": ("a:\n\t- 1\n", "line 2: "),
    "control character": ("a: \x01\n", "special characters are not allowed"),
    "latin-1": ("a: caf\xe9\n".encode("latin-1"), "not a text file in UTF-8"),
    "endless number": (f"a: {'9' * 5000}\n", "4300 digits"),
    "huge": ("# " + "x" * 5_000_000 + "\na: 1\n", "more than 4 MiB"),
}


def columns(path: Path):
    return Tables.from_yaml(path)


def prompt(path: Path):
    return load_prompt(str(path))


@pytest.mark.parametrize("read", [check_settings_file, read_space, columns, prompt])
@pytest.mark.parametrize("name", BAD_YAML)
def test_yaml(tmp_path, read: Callable[[Path], object], name: str) -> None:
    content, message = BAD_YAML[name]
    file = tmp_path / "file.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read(file)
    text = str(caught.value)
    assert message in text
    assert "file.yaml" in text
    assert "\n" not in text
    assert len(text) < 500


def test_good_yaml(tmp_path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(
        "\ufeffbase: &base {epochs: 3, seed: 1}\nmine: {<<: *base, seed: 2}\nlist: [*base, *base]\nnone: ~\n"
    )
    base = {"epochs": 3, "seed": 1}
    assert read_yaml(file)[1] == {"base": base, "mine": {**base, "seed": 2}, "list": [base, base], "none": None}
    file.write_text("")
    assert read_yaml(file) == (None, None)


def test_a_folder_and_no_file(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(InputError, match=str(path)):
            check_settings_file(path)


DEEP = "[" * 200_000
BAD_JSON = {"deep": DEEP, "deep and closed": DEEP + "]" * 200_000, "number": f'{{"a": {"9" * 5000}}}', "text": "{a"}


def manifest(folder: Path, content: str):
    (folder / "manifest.json").write_text(content)
    return read_manifest(folder)


def split_of_manifest(folder: Path, content: str):
    (folder / "manifest.json").write_text(content)
    check_split(folder / "x.useremb", None, "error")


def profiles(folder: Path, content: str):
    (folder / "profiles.jsonl").write_text(content + "\n")
    return read_profile_texts(folder / "profiles.jsonl")


def journal(folder: Path, content: str):
    (folder / "journal.jsonl").write_text(content + "\n")
    return list(read_journal(folder / "journal.jsonl"))


def search(folder: Path, content: str):
    place = SearchFolder(folder)
    place.best_result.write_text(content)
    return place.read_best()


def json_lines(folder: Path, content: str):
    (folder / "reviews.json").write_text(content + "\n")
    return list(records(folder / "reviews.json", progress=False))


@pytest.mark.parametrize("read", [manifest, split_of_manifest, profiles, journal, search, json_lines])
@pytest.mark.parametrize("name", BAD_JSON)
def test_json(tmp_path, read: Callable[[Path, str], object], name: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, BAD_JSON[name])
    assert "\n" not in str(caught.value)
    assert ".json" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", BAD_JSON)
def test_a_provenance_that_is_broken_is_passed_over(tmp_path, name: str) -> None:
    (tmp_path / f"{tmp_path.name}.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\na\tb\t1\n")
    (tmp_path / "provenance.json").write_text(BAD_JSON[name])
    assert describe(tmp_path)["time span"].startswith("1.0 to 1.0")


def test_the_parser_can_be_driven_too_deep() -> None:
    """Else nothing above tells a reader that survives from one that was never in danger."""
    with pytest.raises(RecursionError):
        json.loads(DEEP)
    assert sys.getrecursionlimit() < len(DEEP)
