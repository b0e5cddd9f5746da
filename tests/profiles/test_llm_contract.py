"""What every LLM back end has to keep, and one that a stranger adds."""

import asyncio
import json
from pathlib import Path

import pytest
from part_contract import check_declaration, drop_module

from recbole_llmdistill.profiles import llm
from recbole_llmdistill.profiles.llm.protocol import LLMS, LLMOptions


@pytest.mark.parametrize("name", LLMS.parts())
def test_declaration(name: str) -> None:
    part = LLMS.parts()[name]
    check_declaration(part)
    assert issubclass(part.Options, LLMOptions)
    options = part.Options()
    assert 0 < part.price_factor(options) <= 1
    assert part.users_a_call(options) >= 1
    assert part.counts_tokens(options)
    assert isinstance(part.to_ask_briefly(options), part.Options)


@pytest.mark.parametrize("name", LLMS.parts())
def test_the_back_end_before_anything_is_sent(name: str, shop, serve, request) -> None:
    models = {"openai": "openai:tiny", "hf": "hf:"}
    given, options = models.get(name, name), {"context_length": 5000}
    if name == "openai":
        options["base_url"] = serve().url
    if name == "hf":
        pytest.skip("needs a model; tests/profiles/test_tiny_model.py has one")
    if LLMS.parts()[name].asks_nobody:
        from recbole.config import Config

        from recbole_llmdistill.profiles.history.histories import load_histories

        histories = load_histories(Config("SASRecDistill", "shop", config_file_list=["shop.yaml"]))
    else:
        histories = None
    choice = LLMS.choose(given, options)
    backend = choice.part.make(choice.model, choice.options, histories, None)
    assert backend.llm == given
    assert backend.concurrency >= 1
    assert backend.context_length >= 5000
    assert 0 <= backend.count_tokens("one") <= backend.count_tokens("one and many more words")
    assert "sent" in backend.as_sent("what is sent")
    asyncio.run(backend.close())


def test_one_that_a_stranger_adds(shop: Path, tmp_path: Path, monkeypatch, generate, capsys) -> None:
    drop_module(
        monkeypatch,
        llm,
        tmp_path / "more",
        "echo",
        """
from pydantic import Field

from recbole_llmdistill.profiles.llm.protocol import LLM, Answer, LLMOptions


class EchoOptions(LLMOptions):
    times: int = Field(30, ge=1, description="how often the model's name is said")


class Echo(LLM):
    name = "echo"
    title = "says its name"
    takes_model = True
    Options = EchoOptions

    @classmethod
    def make(cls, model, options, histories, folder):
        return EchoBackend(model, options)


class EchoBackend:
    concurrency = 2

    def __init__(self, model, options):
        self.llm, self.text = f"echo:{model}", f"{model} " * options.times
        self.context_length = options.context_length or 100_000

    def count_tokens(self, text):
        return len(text.split())

    def as_sent(self, text):
        return text

    async def start(self):
        pass

    async def answer(self, request):
        return Answer(self.text.strip(), "stop", self.count_tokens(request.text), self.count_tokens(self.text))

    async def close(self):
        pass
""",
    )
    assert generate("--llm", "echo:hello", "--times=40", "--out", "out") == 0
    profiles = [json.loads(line) for line in (shop / "out" / "profiles.jsonl").read_text().splitlines()]
    assert len(profiles) == 12
    assert all(profile["profile"] == " ".join(["hello"] * 40) for profile in profiles)
    assert json.loads((shop / "out" / "manifest.json").read_text())["llm"] == "echo:hello"
    assert generate("--llm", "echo:hello", "--times=0", "--out", "out") == 2
    assert "--times=0: input should be greater than or equal to 1" in capsys.readouterr().err
    assert generate("--llm", "echo:", "--out", "out") == 2
