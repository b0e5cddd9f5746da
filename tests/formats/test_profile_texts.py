"""Reading ``profiles.jsonl``."""

import json
from pathlib import Path

import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.profile_texts import find_profile_texts, read_profile_texts


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_one_profile_a_user(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        {"user_id": "b", "profile": "likes tea", "model": "x"},
        {"user_id": "a", "profile": "likes coffee"},
        {"user_id": "c", "profile": "likes tea"},
    )
    profiles = read_profile_texts(path)
    assert profiles.tokens == ["b", "a", "c"]
    assert profiles.views == ("profile",)
    assert profiles.texts == ["likes tea", "likes coffee"]
    assert profiles.text_of.tolist() == [[0], [1], [0]]


def test_several_profiles_a_user_some_of_them_lacking(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        {"user_id": "1", "profiles": {"tastes": "tea", "habits": "late"}},
        {"user_id": "2", "profiles": {"habits": "early"}},
        {"user_id": "3", "profiles": {"tastes": "  ", "habits": ""}},
    )
    profiles = read_profile_texts(path)
    assert profiles.views == ("tastes", "habits")
    assert profiles.tokens == ["1", "2"]
    assert profiles.empty == ("3",)
    assert [[profiles.texts[i] if i >= 0 else None for i in row] for row in profiles.text_of] == [
        ["tea", "late"],
        [None, "early"],
    ]
    assert profiles.joined(0) == "tea\n\nlate"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json\n", r"line 1: expected \{"),
        ('{"user_id": "1"}\n', "line 1: expected"),
        ('{"user_id": "1", "profile": "x"}\n{"user_id": 2, "profile": "x"}\n', "line 2: expected"),
        ('{"user_id": "1", "profile": null}\n', "line 1: expected"),
        ('{"user_id": "1", "profiles": ["x"]}\n', "line 1: expected"),
        (
            '{"user_id": "1", "profile": "x"}\n{"user_id": "1", "profile": "y"}\n',
            "line 2: user '1' has a profile already",
        ),
        ("", "no profiles in this file"),
        ('{"user_id": "1", "profile": " "}\n', "all 1 texts are empty"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        read_profile_texts(tmp_path / "p.jsonl")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file in UTF-8"):
        read_profile_texts(tmp_path / "p.jsonl")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"profiles\.jsonl does not exist"):
        find_profile_texts(tmp_path)


def test_thoughts_of_older_versions_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        {"user_id": "1", "profile": "<think>hm</think>\nlikes tea"},
        {"user_id": "2", "profile": "likes tea"},
        {"user_id": "3", "profile": "<think>does not end"},
        {"user_id": "4", "profiles": {"profile": "likes ```code``` <3", "habits": "hm</think>late"}},
    )
    profiles = read_profile_texts(path)
    assert profiles.tokens == ["1", "2", "4"]
    assert profiles.texts == ["likes tea", "likes ```code``` <3", "late"]
    assert profiles.empty == ("3",)
    assert profiles.thoughts == ("1", "3", "4")
    thoughts, empty = profiles.warnings()
    assert "the texts of 3 users hold a model's thought (the first is that of '1')" in thoughts
    assert "1 users have an empty text" in empty
