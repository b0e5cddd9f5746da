"""The estimate is what the run then does."""

import json
import math
import string

import pytest
from shop_dataset import write_shop


def number(text: str, before: str) -> float:
    return float(text.split(before)[1].split()[0].rstrip(",").replace(",", ""))


def tokens_by_hand(text: str) -> int:
    """A digit, a punctuation mark and a line end are a token each, else three bytes."""
    single = sum(character in string.digits + string.punctuation + "\n" for character in text)
    return single + math.ceil((len(text.encode()) - single) / 3)


@pytest.mark.parametrize("strategy", ["merge_after", "update", "recent"])
def test_requests_and_tokens_are_those_of_the_run(tmp_path, serve, generate, capsys, strategy: str) -> None:
    """Answers of the expected length; prompt tokens are counted part by part, so slightly more than of the whole."""
    write_shop(tmp_path, users=5, length=150)
    server = serve(
        lambda prompt: "word " * 157
    )  # 785 bytes of 3 = the expected 210 tokens, rounded as placeholders are
    arguments = ["--llm", "openai:tiny", "--base-url", server.url, "--context-length=2000", "--strategy", strategy]
    arguments += ["--price-in=2", "--price-out=10"]
    assert generate(*arguments, "--estimate") == 0
    estimated = capsys.readouterr().out
    assert not server.asked
    assert not (tmp_path / "out").exists()
    assert generate(*arguments, "--out", "out") == 0
    requests = sum(server.asked.values())
    assert number(estimated, "requests ") == requests
    sent = sum(tokens_by_hand(prompt) * times for prompt, times in server.asked.items())
    assert sent <= number(estimated, "prompt tokens ") <= sent * 1.06
    assert number(estimated, "answer tokens about ") == 210 * requests
    assert number(estimated, "at most ") == 400 * requests
    prompt_tokens = number(estimated, "prompt tokens ")
    assert number(estimated, "cost about ") == pytest.approx((prompt_tokens * 2 + 210 * requests * 10) / 1e6, abs=0.01)
    cost = (prompt_tokens * 2 + 210 * requests * 10) / 1e6
    assert number(estimated, "a million such users: about ") == pytest.approx(cost / 5 * 1e6, rel=1e-3)


def test_a_run_prints_the_same_before_it_starts(shop, serve, generate, capsys) -> None:
    server = serve()
    arguments = ["--llm", "openai:tiny", "--base-url", server.url, "--price-in=2", "--price-out=10"]
    assert generate(*arguments, "--estimate") == 0
    estimated = capsys.readouterr().out
    assert generate(*arguments, "--out", "out") == 0
    assert capsys.readouterr().out.startswith(estimated)


def test_answers_so_far_replace_the_expectation(tmp_path, serve, generate, capsys) -> None:
    write_shop(tmp_path, users=40)
    server = serve(lambda prompt: "word " * 50)
    arguments = ["--llm", "openai:tiny", "--base-url", server.url, "--out", "out"]
    assert generate(*arguments, "--limit=25") == 0
    capsys.readouterr()
    assert generate(*arguments, "--estimate") == 0
    assert number(capsys.readouterr().out, "answer tokens about ") == 40 * 50


def test_batch_costs_half(shop, generate, capsys) -> None:
    arguments = ["--llm", "openai:tiny", "--estimate", "--price-in=2000", "--price-out=10000"]
    assert generate(*arguments) == 0
    single = number(capsys.readouterr().out, "cost about ")
    assert generate(*arguments, "--batch") == 0
    assert number(capsys.readouterr().out, "cost about ") == pytest.approx(single / 2, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--llm", "openai:x"], "--out: say in which folder"),
        (["--llm", "gpt", "--out", "out"], "'gpt' is none of hf:MODEL, none:summary, openai:MODEL"),
        (["--llm", "openai:x", "--estimate", "--price-in=1"], "belong together"),
        (["--llm", "openai:x", "--estimate", "--promt=needs"], "did you mean --prompt?"),
        (["--llm", "openai:x", "--estimate", "--max-words=3"], "'--max-words=3' is not understood"),
        (["--llm", "openai:x", "--estimate", "--shard=5/4"], "'5/4' is no part"),
        (["--llm", "openai:x", "--estimate", "--users=nobody"], "nobody cannot be read"),
        (["--llm", "openai:x", "--estimate", "--strategy=views", "--prompt=needs"], "needs several prompts"),
        (["--llm", "openai:x", "--out", "out", "--ray"], "--ray is for local models"),
        (["--llm", "hf:x", "--out", "out", "--batch"], "--batch means nothing to --llm=hf:x"),
        (["--llm", "openai:x", "--show-prompt=nobody"], "user 'nobody' is unknown"),
        (["--llm", "openai:x", "--estimate", "--context-length=500"], "context of 500 tokens is too small"),
    ],
)
def test_one_line_for_bad_options(shop, generate, capsys, arguments, message: str) -> None:
    assert generate(*arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert message in said
    assert not (shop / "out").exists()


def test_no_such_dataset(tmp_path, command, capsys) -> None:
    assert command("generate", "-d", "nothing", "--llm", "openai:x", "--estimate") == 2
    assert "data set 'nothing': there is no folder" in capsys.readouterr().err


def test_users_file(shop, serve, generate, capsys) -> None:
    server = serve()
    (shop / "some").write_text("u3\nu5\nstranger\n")
    assert generate("--llm", "openai:tiny", "--base-url", server.url, "--out", "out", "--users=some") == 0
    assert "1 users of --users lack a training history, e.g. stranger" in capsys.readouterr().out
    users = {json.loads(line)["user_id"] for line in (shop / "out" / "profiles.jsonl").read_text().splitlines()}
    assert users == {"u3", "u5"}
    (shop / "some").write_text("stranger\n")
    assert generate("--llm", "openai:tiny", "--base-url", server.url, "--out", "out", "--users=some") == 2
