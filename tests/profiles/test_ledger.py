"""Files that survive a kill, what counts as a profile, and shards joined again."""

import json
from pathlib import Path

import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.journal import Journal, read_journal
from recbole_llmdistill.profiles.answer_checks import check_answer, named_titles
from recbole_llmdistill.profiles.llm.protocol import Answer, RequestFailed
from recbole_llmdistill.profiles.selection import Shard


@pytest.mark.parametrize("keep", [0, 1, 30, 31, 70_000])
def test_a_journal_cut_anywhere_goes_on_with_whole_lines(tmp_path, keep: int) -> None:
    path = tmp_path / "log"
    journal = Journal(path)
    for number in range(3):
        journal.append({"user_id": f"u{number}", "text": "é" * 20_000 if number else "short"})
    journal.close()
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    whole = content[:keep].count(b"\n")
    journal = Journal(path)
    journal.append({"user_id": "next"})
    journal.close()
    users = [record["user_id"] for record in read_journal(path)]
    assert users == [f"u{number}" for number in range(whole)] + ["next"]


def test_reading_leaves_out_a_line_being_written_and_names_a_broken_one(tmp_path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"user_id": "a"}\n{"user_id": "b"')
    assert [record["user_id"] for record in read_journal(path)] == ["a"]
    path.write_bytes(b'{"user_id": "a"}\nnonsense\n')
    with pytest.raises(InputError, match="log, line 2: no JSON"):
        list(read_journal(path))
    path.write_bytes(b"[1]\n")
    with pytest.raises(InputError, match="line 1: no record with 'user_id'"):
        list(read_journal(path))
    assert list(read_journal(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("text", "titles", "named"),
    [
        ("Would enjoy The Usual Suspects.", ["Usual Suspects, The"], ["Usual Suspects, The"]),
        ("Would enjoy usual suspects again.", ["Usual Suspects, The"], ["Usual Suspects, The"]),
        ("Likes Se7en.", ["Seven (Se7en)"], []),
        ("Turns up the heat.", ["Heat"], []),
        ("Loved Heat, hated the rest.", ["Heat"], ["Heat"]),
        ("Heatwave films.", ["Heat"], []),
        ("It is an it thing.", ["It", "Up"], []),
        ("Sense & Sensibility, again", ["Sense and Sensibility"], []),
        ("Sense & Sensibility, again", ["Sense & Sensibility"], ["Sense & Sensibility"]),
        ("Mr Holland's opus", ["Mr. Holland's Opus"], ["Mr. Holland's Opus"]),
    ],
)
def test_named_titles(text: str, titles: list[str], named: list[str]) -> None:
    assert named_titles(text, titles) == named


@pytest.mark.parametrize(
    "text",
    [
        "This viewer cannot stand musicals and says sorry, no, to westerns.",
        "I, Robot and other science fiction is what this viewer likes.",
        "Unfortunate heroes are liked.",
    ],
)
def test_a_profile_that_only_sounds_like_a_refusal(text: str) -> None:
    answer = Answer(text, "stop", 1, 1)
    assert check_answer(answer, 3) is answer


@pytest.mark.parametrize(
    "text", ["I'm sorry, but no.", "I’m sorry, I can’t.", "As an AI, I ...", "I cannot write this.", "Sorry, no."]
)
def test_refusals(text: str) -> None:
    with pytest.raises(RequestFailed) as failure:
        check_answer(Answer(text, "stop", 1, 1), 1)
    assert failure.value.reason == "refused"


def test_shards_are_disjoint_and_complete() -> None:
    users = [f"user {number}" for number in range(1000)]
    parts = [{user for user in users if Shard(number, 7).has(user)} for number in range(1, 8)]
    assert sum(map(len, parts)) == 1000
    assert set.union(*parts) == set(users)
    assert min(map(len, parts)) > 100


def users_of(folder: Path) -> list[str]:
    return sorted(json.loads(line)["user_id"] for line in (folder / "profiles.jsonl").read_text().splitlines())


def test_shards_joined_again(shop, generate, command, capsys) -> None:
    for number in (1, 2, 3):
        assert generate("--llm", "none:summary", "--out", f"s{number}", f"--shard={number}/3") == 0
    assert command("merge", "s3", "s1", "s2", "--out", "all") == 0
    assert "12 of 12 users have a profile, 0 failed" in capsys.readouterr().out
    assert generate("--llm", "none:summary", "--out", "whole") == 0
    assert users_of(shop / "all") == users_of(shop / "whole")
    capsys.readouterr()
    assert generate("--llm", "none:summary", "--out", "all") == 0  # goes on as if it had never been spread
    assert "12 of 12 users have a profile already" in capsys.readouterr().out
    manifests = [json.loads((shop / name / "manifest.json").read_text()) for name in ("all", "whole")]
    for manifest in manifests:
        del manifest["created"]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["s1"], "shard 2/2 is missing"),
        (["s1", "s1", "s2"], "shard 1/2 is given twice"),
        (["s1", "other"], "parts of different wholes"),
        (["s1", "plain"], "was not made with --shard"),
        (["s1", "nowhere"], "no manifest.json"),
        (["s1", "longer"], "were made otherwise"),
    ],
)
def test_shards_that_do_not_fit(shop, generate, command, capsys, folders, message: str) -> None:
    summary = ["--llm", "none:summary", "--out"]
    assert generate(*summary, "s1", "--shard=1/2") == 0
    assert generate(*summary, "s2", "--shard=2/2") == 0
    assert generate(*summary, "other", "--shard=1/3") == 0
    assert generate(*summary, "plain") == 0
    assert generate(*summary, "longer", "--shard=2/2", "--strategy=recent") == 0
    assert command("merge", *folders, "--out", "all") == 2
    assert message in capsys.readouterr().err
    assert not (shop / "all" / "profiles.jsonl").exists()


def test_a_user_in_two_shards(shop, generate, command, capsys) -> None:
    for number in (1, 2):
        assert generate("--llm", "none:summary", "--out", f"s{number}", f"--shard={number}/2") == 0
    with open(shop / "s2" / "profiles.jsonl", "a") as file:
        file.write((shop / "s1" / "profiles.jsonl").read_text().splitlines()[0] + "\n")
    assert command("merge", "s1", "s2", "--out", "all") == 2
    assert "stands in another shard too" in capsys.readouterr().err
    assert not (shop / "all" / "profiles.jsonl").exists()


def test_a_foreign_folder_is_left_alone(shop, generate, capsys) -> None:
    (shop / "out").mkdir()
    (shop / "out" / "profiles.jsonl").write_text('{"user_id": "u1", "profile": "mine"}\n')
    assert generate("--llm", "none:summary", "--out", "out") == 2
    assert "not a folder of this command" in capsys.readouterr().err
    assert (shop / "out" / "profiles.jsonl").read_text() == '{"user_id": "u1", "profile": "mine"}\n'
