"""Generation through a server: what is sent, what is kept, and what faults do."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chat_server import PROFILE, ChatServer
from shop_dataset import write_shop

from recbole_llmdistill.formats.profile_texts import read_profile_texts


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def endpoint(server: ChatServer, *more: str) -> list[str]:
    return ["--llm", "openai:tiny", "--base-url", server.url, "--out", "out", *more]


def history_of(prompt: str) -> list[str]:
    return prompt.rsplit("<history>\n", 1)[1].split("\n</history>")[0].split("\n")


def is_merge(prompt: str) -> bool:
    return prompt.startswith("Below are profiles of one person")


def test_every_user_gets_one_line_from_the_training_part_alone(shop, serve, generate, capsys) -> None:
    server = serve()
    assert generate(*endpoint(server)) == 0
    records = lines(shop / "out" / "profiles.jsonl")
    assert sorted(record["user_id"] for record in records) == sorted(f"u{user}" for user in range(12))
    assert {record["profile"] for record in records} == {PROFILE.strip()}
    assert {record["interactions"] for record in records} == {6}
    assert all(record["prompt_tokens"] > 0 and record["finish_reason"] == "stop" for record in records)
    by_user = {history_of(prompt)[1]: history_of(prompt) for prompt in server.asked}
    assert by_user["Fine Thing Number 3 | tool | view | 0.01 | 2023-11-14"] == [  # user 1
        "title | kind | event | share watched | date where it changes",
        "Fine Thing Number 3 | tool | view | 0.01 | 2023-11-14",
        "Fine Thing Number 4 | toy | buy | 10.01",
        "Fine Thing Number 5 | tool | view | 20.01",
        "Fine Thing Number 6 | toy | buy | 30.01",
        "Fine Thing Number 7 | tool | view | 40.01",
        "Fine Thing Number 8 | toy | buy | 50.01",
    ]
    assert "users 12" in capsys.readouterr().out
    assert read_profile_texts(shop / "out" / "profiles.jsonl")


def test_the_settings_reach_the_server(shop, serve, generate) -> None:
    server = serve()
    assert generate(*endpoint(server, "--limit=1", "--temperature=0.7", "--max-tokens=77", "--seed=5")) == 0
    (body,) = server.bodies
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("tiny", 77, 0.7, 5)
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_shown_prompt_is_what_is_sent(shop, serve, generate, capsys) -> None:
    server = serve()
    (shop / "one").write_text("u4\n")
    assert generate(*endpoint(server, "--show-prompt=u4")) == 0
    shown = capsys.readouterr().out
    assert not server.asked
    assert generate(*endpoint(server, "--users=one")) == 0
    (sent,) = server.asked
    assert shown.split("---\n", 1)[1] == sent + "\n"


@pytest.mark.parametrize("fault", ["429", "500", "cut", "hang", "junk"])
def test_a_passing_fault_costs_no_user(shop, serve, generate, fault: str) -> None:
    """Each user's first request fails; the client asks again, or for junk the next run does."""
    server = serve(fault=lambda prompt, attempt: fault if attempt == 1 else None)
    arguments = endpoint(server, "--timeout=1", "--limit=4")
    assert generate(*arguments) == (1 if fault == "junk" else 0)
    if fault == "junk":
        assert {record["reason"] for record in lines(shop / "out" / "failures.jsonl")} == {"no_json"}
        assert generate(*arguments) == 0
    assert len(lines(shop / "out" / "profiles.jsonl")) == 4
    assert set(server.answered.values()) == {1}
    assert set(server.asked.values()) == {2}
    if fault == "429":
        waits = [times[1] - times[0] for times in server.times.values()]
        assert min(waits) >= 1.0  # Retry-After: 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ((PROFILE, "length"), "truncated"),
        ((PROFILE, "content_filter"), "refused"),
        ("I'm sorry, but I cannot help with that. " + PROFILE, "refused"),
        ("Likes drama.", "too_short"),
    ],
)
def test_what_is_no_profile_is_a_failure_and_asked_again(shop, serve, generate, capsys, answer, reason: str) -> None:
    answers = {}
    server = serve(lambda prompt: answers.pop(prompt, PROFILE))
    assert generate(*endpoint(server, "--limit=3")) == 0
    bad = sorted(server.asked)[0]
    answers[bad] = answer
    assert generate(*endpoint(server, "--limit=3"), "--out", "second") == 1
    (failure,) = lines(shop / "second" / "failures.jsonl")
    assert failure["reason"] == reason
    assert f"1 users failed ({reason} 1)" in capsys.readouterr().out
    assert len(lines(shop / "second" / "profiles.jsonl")) == 2
    assert generate(*endpoint(server, "--limit=3"), "--out", "second") == 0
    assert len(lines(shop / "second" / "profiles.jsonl")) == 3
    assert server.asked[bad] == 3
    assert sorted(server.asked.values()) == [2, 2, 3]


def test_a_lasting_fault_fails_the_user_with_its_reason(shop, serve, generate) -> None:
    server = serve(fault=lambda prompt, attempt: "400" if "Number 3 | tool | view | 0.01" in prompt else None)
    assert generate(*endpoint(server, "--retries=1")) == 1
    (failure,) = lines(shop / "out" / "failures.jsonl")
    assert (failure["user_id"], failure["reason"]) == ("u1", "http")
    assert "this prompt is not wanted" in failure["detail"]
    assert len(lines(shop / "out" / "profiles.jsonl")) == 11


def test_no_more_than_concurrency_at_a_time(shop, serve, generate) -> None:
    server = serve(delay=0.05)
    assert generate(*endpoint(server, "--concurrency=3")) == 0
    assert 2 <= server.most_under_way <= 3


def test_held_out_items_that_a_profile_names_are_flagged(shop, serve, generate, capsys) -> None:
    """User u0 has items 0-7, and 6 and 7 are held out."""
    server = serve(lambda prompt: PROFILE + "Next comes fine thing number 7, after Fine Thing Number 5.")
    (shop / "one").write_text("u0\n")
    assert generate(*endpoint(server, "--users=one")) == 0
    (record,) = lines(shop / "out" / "profiles.jsonl")
    assert record["names_held_out"] == ["Fine Thing Number 7"]
    assert "1 profiles name a held-out item" in capsys.readouterr().out


def test_several_views(shop, serve, generate) -> None:
    server = serve(lambda prompt: "Habits. " * 40 if "habits behind" in prompt else PROFILE)
    assert generate(*endpoint(server, "--strategy=views", "--limit=2")) == 0
    for record in lines(shop / "out" / "profiles.jsonl"):
        assert list(record["profiles"]) == ["needs", "tastes", "habits"]
        assert record["profiles"]["habits"].startswith("Habits.")
        assert record["requests"] == 3
    assert sum(server.asked.values()) == 6


def test_long_history_is_split_by_the_length_that_the_server_names(tmp_path, serve, generate) -> None:
    write_shop(tmp_path, users=2, length=150)
    server = serve(lambda prompt: "Likes many things. " * 12, max_model_len=2000)
    assert generate(*endpoint(server)) == 0
    records = lines(tmp_path / "out" / "profiles.jsonl")
    creates = [prompt for prompt in server.asked if not is_merge(prompt)]
    merges = [prompt for prompt in server.asked if is_merge(prompt)]
    assert sum(server.asked[prompt] for prompt in merges) == 2
    assert len(creates) >= 4
    assert sum(record["requests"] for record in records) == len(creates) + 2
    assert all(len(prompt) / 3 < 2000 - 400 for prompt in server.asked)
    shown = [line for prompt in creates for line in history_of(prompt)[1:]]
    assert len(shown) == 2 * 148


def run_in_a_process(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "recbole_llmdistill.cli.llmdistill", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_killed_and_resumed_every_user_once(tmp_path, serve) -> None:
    """kill -9 in the middle: no finished user is asked again, those under way once more, each has one line."""
    write_shop(tmp_path, users=60)
    server = serve(delay=0.1)
    base = ["generate", "-d", "shop", "--config_files", "shop.yaml", *endpoint(server, "--concurrency=2")]
    process = run_in_a_process(base)
    while sum(server.answered.values()) < 10:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.3)  # answers under way arrive at nobody
    finished = lines_so_far(tmp_path / "out" / "profiles.jsonl")
    assert 5 < len(finished) < 60
    before = dict(server.asked)
    with open(tmp_path / "out" / "profiles.jsonl", "a") as file:
        file.write('{"user_id": "u59", "profi')  # what a kill within a write leaves
    process = run_in_a_process(base)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"{len(finished)} of 60 users have a profile already" in out
    users = [record["user_id"] for record in lines(tmp_path / "out" / "profiles.jsonl")]
    assert len(users) == len(set(users)) == 60
    again = {prompt for prompt in before if server.asked[prompt] > before[prompt]}
    assert len(again) <= 2  # the two under way
    assert sum(server.asked.values()) <= 62


def lines_so_far(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def test_answers_to_parts_are_not_paid_twice(tmp_path, serve, generate) -> None:
    """The merge fails for good; the next run asks for the merge alone."""
    write_shop(tmp_path, users=1, length=150)
    server = serve(
        lambda prompt: "Likes many things. " * 12,
        fault=lambda prompt, attempt: "400" if is_merge(prompt) and attempt == 1 else None,
        max_model_len=2000,
    )
    assert generate(*endpoint(server)) == 1
    parts = [prompt for prompt in server.asked if not is_merge(prompt)]
    assert generate(*endpoint(server)) == 0
    assert [server.asked[prompt] for prompt in parts] == [1] * len(parts)
    (record,) = lines(tmp_path / "out" / "profiles.jsonl")
    assert record["requests"] == len(parts) + 1


def test_interrupted_run_keeps_what_is_under_way(tmp_path, serve) -> None:
    write_shop(tmp_path, users=60)
    server = serve(delay=0.2)
    process = run_in_a_process(
        ["generate", "-d", "shop", "--config_files", "shop.yaml", *endpoint(server, "--concurrency=4")]
    )
    while sum(server.asked.values()) < 8:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    asked = sum(server.asked.values())
    assert asked < 60
    assert len(lines(tmp_path / "out" / "profiles.jsonl")) == asked


def test_no_server(shop, generate, capsys) -> None:
    assert generate("--llm", "openai:tiny", "--base-url", "http://127.0.0.1:9/v1", "--out", "out", "--retries=0") == 2
    assert "http://127.0.0.1:9/v1 cannot be reached" in capsys.readouterr().err
    assert not (shop / "out").exists()


def test_no_key(shop, generate, capsys) -> None:
    assert generate("--llm", "openai:gpt-x", "--out", "out", "--api-key-env", "MY_KEY") == 2
    assert "set the environment variable MY_KEY" in capsys.readouterr().err
    assert not (shop / "out").exists()


def test_wrong_key_is_named_by_its_variable_and_never_shown(shop, serve, generate, monkeypatch, capsys) -> None:
    server = serve(key="right")
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    assert generate(*endpoint(server, "--api-key-env=MY_KEY")) == 2
    said = capsys.readouterr()
    assert "the key in MY_KEY is not accepted" in said.err
    assert "sk-very-secret" not in said.err + said.out
    monkeypatch.setenv("MY_KEY", "right")
    assert generate(*endpoint(server, "--api-key-env=MY_KEY", "--limit=2")) == 0
    written = "".join(path.read_text() for path in (shop / "out").iterdir())
    assert '"right"' not in written


def test_a_password_in_the_address_is_refused_and_not_shown(shop, generate, capsys) -> None:
    assert generate("--llm", "openai:tiny", "--base-url", "http://me:hidden@127.0.0.1:9/v1", "--out", "out") == 2
    said = capsys.readouterr()
    assert "leave user and password out" in said.err
    assert "hidden" not in said.out + said.err
    assert not (shop / "out").exists()


def test_unknown_model(shop, serve, generate, capsys) -> None:
    server = serve(models=("big", "small"))
    assert generate(*endpoint(server)) == 2
    assert "has no model 'tiny'; it has big, small" in capsys.readouterr().err
    assert not (shop / "out").exists()


def test_no_credit_stops_the_run(shop, serve, generate, capsys) -> None:
    server = serve(fault=lambda prompt, attempt: "quota")
    assert generate(*endpoint(server, "--concurrency=1")) == 2
    assert "no credit left" in capsys.readouterr().err
    assert sum(server.asked.values()) == 1


def test_endless_failures_stop_the_run(tmp_path, serve, generate, capsys) -> None:
    write_shop(tmp_path, users=120)
    server = serve(lambda prompt: "")
    assert generate(*endpoint(server, "--concurrency=2")) == 2
    assert "users in a row failed" in capsys.readouterr().err
    assert sum(server.asked.values()) < 60


def test_another_prompt_or_model_into_the_same_folder_is_refused(shop, serve, generate, capsys) -> None:
    server = serve(models=("tiny", "other"))
    assert generate(*endpoint(server, "--limit=1")) == 0
    assert generate(*endpoint(server, "--limit=1", "--llm=openai:other")) == 2
    assert 'llm: "openai:tiny" then, "openai:other" now' in capsys.readouterr().err
    assert generate(*endpoint(server, "--limit=1", "--prompt=movies-short")) == 2
    assert "prompts" in capsys.readouterr().err
    from recbole_llmdistill.files.resources import properties

    text = properties("prompts", "neutral-short.yaml").read_text(encoding="utf-8")
    (shop / "neutral-short.yaml").write_text(re.sub("100 to 150 words", "90 words", text), encoding="utf-8")
    assert generate(*endpoint(server, "--limit=1", "--prompt=neutral-short.yaml")) == 2
    said = capsys.readouterr().err
    assert "- Form: one paragraph of 100 to 150 words" in said
    assert "+ Form: one paragraph of 90 words" in said
    assert sum(server.asked.values()) == 1


def test_a_higher_limit_of_tokens_may_go_on(shop, serve, generate) -> None:
    server = serve()
    assert generate(*endpoint(server, "--limit=1")) == 0
    assert generate(*endpoint(server, "--limit=2", "--max-tokens=900")) == 0
    assert [body["max_tokens"] for body in server.bodies] == [400, 900]


def test_full_disk(shop, serve, generate, capsys) -> None:
    server = serve()
    assert generate(*endpoint(server, "--limit=1")) == 0
    (shop / "out" / "profiles.jsonl").unlink()
    (shop / "out" / "profiles.jsonl").symlink_to("/dev/full")
    assert generate(*endpoint(server, "--concurrency=1")) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert sum(server.asked.values()) == 2  # it stopped at the first


def test_two_runs_in_one_folder(tmp_path, serve, generate, capsys) -> None:
    write_shop(tmp_path)
    server = serve(delay=1.0)
    arguments = endpoint(server, "--concurrency=1")
    process = run_in_a_process(["generate", "-d", "shop", "--config_files", "shop.yaml", *arguments])
    while not server.asked:
        time.sleep(0.02)
    assert generate(*arguments) == 2
    assert "another command is writing there" in capsys.readouterr().err
    process.kill()
    process.communicate()
