"""``generate`` from Python: without a command line, also within a running event loop."""

import asyncio
import json
import logging
import sys
from pathlib import Path

import pytest
from chat_server import ChatServer

from recbole_llmdistill import generate
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.options import GenerateOptions


def options(server: ChatServer, **more) -> GenerateOptions:
    common = {"dataset": "shop", "config_files": ["shop.yaml"], "out": "out", "show_progress": False}
    return GenerateOptions(**{**common, "llm": "openai:tiny", "base_url": server.url, **more})


def test_in_a_notebook(shop: Path, serve, monkeypatch, capsys) -> None:
    server = serve()
    arguments = ["notebook", "-f", "kernel.json", "--epochs=3"]
    monkeypatch.setattr(sys, "argv", arguments)
    level = logging.getLogger().level

    async def cell():
        return generate(options(server), limit=3, price_in=1.0, price_out=2.0)

    result = asyncio.run(cell())
    profiles = [json.loads(line) for line in (shop / "out" / "profiles.jsonl").read_text().splitlines()]
    assert len(profiles) == result.profiles == sum(server.asked.values()) == result.requests == 3
    assert result.failures == 0
    assert result.cost == pytest.approx((result.prompt_tokens + 2 * result.completion_tokens) / 1e6)
    assert {file.name for file in result.files} >= {"profiles.jsonl", "manifest.json"}
    assert sys.argv is arguments
    assert logging.getLogger().level == level
    assert capsys.readouterr() == ("", "")
    assert any("3 profiles written" in note for note in result.messages.notes)


def test_failures_are_counted_and_not_raised(shop: Path, serve) -> None:
    server = serve(fault=lambda prompt, attempt: "400" if "Number 3 | tool | view | 0.01" in prompt else None)
    result = generate(options(server, retries=1))
    assert (result.profiles, result.failures, result.failure_reasons) == (11, 1, {"http": 1})
    assert "failures.jsonl" in {file.name for file in result.files}


def test_an_estimate_sends_and_writes_nothing(shop: Path, serve) -> None:
    server = serve()
    result = generate(options(server, estimate=True))
    assert any("users 12" in note for note in result.messages.notes)
    assert result.folder is None
    assert not server.asked
    assert not (shop / "out").exists()


def test_the_seed_is_recboles(shop: Path, serve) -> None:
    server = serve()
    generate(options(server, temperature=0.5, settings={"seed": 7}, limit=1))
    assert server.bodies[-1]["seed"] == 7


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"out": None}, "--out: say in which folder"),
        ({"llm": "gpt"}, "'gpt' is none of "),
        ({"llm": "openai:"}, "lacks the model's name, e.g. openai:"),
        ({"llm": "none:summary", "batch": True}, "--batch means nothing to --llm=none:summary"),
        ({"ray": "local"}, "--ray is for local models"),
        ({"price_in": 1.0}, "belong together"),
        ({"strategy": "newest"}, "--strategy=newest"),
        ({"concurency": 3}, "did you mean concurrency"),
        ({"config_files": ["nowhere.yaml"]}, "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_kind_of_error(shop: Path, serve, keywords: dict, message: str) -> None:
    server = serve()
    with pytest.raises(InputError) as caught:
        generate(options(server), **keywords)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not server.asked


def test_values_that_a_command_line_takes_for_other_llms_are_passed_over(shop: Path, serve) -> None:
    result = generate(options(serve(), llm="none:summary", concurrency=2), limit=2)
    assert (result.profiles, result.requests) == (2, 2)
