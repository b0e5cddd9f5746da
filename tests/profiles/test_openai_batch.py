"""The batch API: one batch for many users, half the price, and nothing sent twice after a kill."""

import asyncio
import json

import numpy as np
import pytest
from chat_server import PROFILE

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.history.histories import History
from recbole_llmdistill.profiles.llm.openai import OpenAIOptions
from recbole_llmdistill.profiles.llm.openai_batch import OpenAIBatchBackend
from recbole_llmdistill.profiles.llm.protocol import Request, RequestFailed

NOBODY = History("u", np.array([], dtype=int), [])


def backend(server, folder) -> OpenAIBatchBackend:
    return OpenAIBatchBackend("tiny", OpenAIOptions(base_url=server.url), folder, poll_seconds=0.05, gather_seconds=0.1)


async def ask_all(server, folder, texts: list[str], give_up_after: float | None = None) -> list:
    batch = backend(server, folder)
    await batch.start()
    try:
        asked = asyncio.gather(*(batch.answer(Request(text, 9, NOBODY)) for text in texts), return_exceptions=True)
        return await asyncio.wait_for(asked, give_up_after)
    finally:
        await asyncio.sleep(0)
        await batch.close()


def test_one_batch_for_all(tmp_path, serve) -> None:
    server = serve(lambda prompt: f"answer to {prompt}")
    texts = [f"question {number}" for number in range(50)] + ["question 0"]
    answers = asyncio.run(ask_all(server, tmp_path, texts))
    assert [answer.text for answer in answers] == [f"answer to {text}" for text in texts]
    assert len(server.batches) == 1
    assert set(server.asked.values()) == {1}  # question 0 was sent once and answered to both


def test_a_run_that_ended_while_waiting_collects_its_batch(tmp_path, serve) -> None:
    server = serve(lambda prompt: f"answer to {prompt}")
    server.polls_until_done = 10**9
    texts = [f"question {number}" for number in range(5)]
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(ask_all(server, tmp_path, texts, give_up_after=1.0))
    assert len(server.batches) == 1
    server.polls_until_done = 0
    answers = asyncio.run(ask_all(server, tmp_path, [*texts, "a new question"]))
    assert [answer.text for answer in answers] == [f"answer to {text}" for text in [*texts, "a new question"]]
    assert len(server.batches) == 2
    assert set(server.asked.values()) == {1}


def test_a_batch_that_was_sent_but_not_noted_is_found(tmp_path, serve) -> None:
    """Killed between the two: the line with the id is missing."""
    server = serve(lambda prompt: f"answer to {prompt}")
    server.polls_until_done = 10**9
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(ask_all(server, tmp_path, ["question"], give_up_after=1.0))
    journal = tmp_path / "batches.jsonl"
    journal.write_text(journal.read_text().splitlines(keepends=True)[0])
    server.polls_until_done = 0
    (answer,) = asyncio.run(ask_all(server, tmp_path, ["question"]))
    assert answer.text == "answer to question"
    assert len(server.batches) == 1


def test_what_failed_is_asked_anew_by_the_next_run(tmp_path, serve) -> None:
    server = serve(lambda prompt: f"answer to {prompt}")

    async def one_backend() -> None:
        batch = backend(server, tmp_path)
        await batch.start()
        await batch.answer(Request("again", 9, NOBODY))
        await asyncio.sleep(1.2)
        await batch.answer(Request("again", 9, NOBODY))
        await batch.close()

    asyncio.run(one_backend())
    assert server.asked["again"] == 2


def test_refused_and_unanswered(tmp_path, serve) -> None:
    server = serve(lambda prompt: f"answer to {prompt}")
    server.polls_until_done = 10**9

    async def refused() -> list:
        waiting = asyncio.create_task(ask_all(server, tmp_path, ["question"]))
        while not server.batches:
            await asyncio.sleep(0.05)
        errors = {"object": "list", "data": [{"message": "no such model", "code": "x"}]}
        server.batches["batch-0"] |= {"status": "failed", "errors": errors}
        return await waiting

    (error,) = asyncio.run(refused())
    assert isinstance(error, InputError)
    assert "no such model" in str(error)

    async def expired() -> list:
        waiting = asyncio.create_task(ask_all(server, tmp_path, ["question"]))
        while len(server.batches) < 2:
            await asyncio.sleep(0.05)
        server.batches["batch-1"]["status"] = "expired"
        return await waiting

    (error,) = asyncio.run(expired())
    assert isinstance(error, RequestFailed)
    assert error.reason == "expired"


def test_by_the_command(tmp_path, shop, serve, generate, monkeypatch) -> None:
    from recbole_llmdistill.profiles.llm import openai_batch

    monkeypatch.setattr(openai_batch.OpenAIBatchBackend.__init__, "__defaults__", (0.05, 0.1))
    server = serve()
    arguments = ["--llm", "openai:tiny", "--base-url", server.url, "--out", "out", "--batch"]
    assert generate(*arguments) == 0
    records = [json.loads(line) for line in (shop / "out" / "profiles.jsonl").read_text().splitlines()]
    assert len(records) == 12
    assert {record["profile"] for record in records} == {PROFILE.strip()}
    assert len(server.batches) == 1
    assert generate(*arguments) == 0
    assert len(server.batches) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"custom_id": KEY, "response": {"status_code": 200, "body": 7}}', "no_json"),
        ('{"custom_id": KEY, "response": {"status_code": 200, "body": {"choices": []}}}', "no_json"),
        ('{"custom_id": KEY, "response": [1], "error": null}', "http"),
        ('{"custom_id": KEY, "response": null, "error": {"message": "too busy"}}', "http"),
        ('{"custom_id": KEY, "error": ' + "[" * 900 + "]" * 900 + "}", "http"),
        ('{"custom_id": KEY, "error": ' + "[" * 200_000 + "]" * 200_000 + "}", "expired"),
        ('{"custom_id": 7}', "expired"),
        ("nonsense", "expired"),
        ("\x00" * 17 * 2**20, "expired"),
    ],
)
def test_a_bad_line_fails_its_user_alone(tmp_path, serve, line: str, reason: str) -> None:
    server = serve(lambda prompt: f"answer\u2028 to {prompt}")

    def spoil(batch: dict) -> None:
        content = server.files[batch["output_file_id"]].decode().split("\n")
        first = json.loads(content[0])["custom_id"]
        answered = [json.dumps(json.loads(text), ensure_ascii=False) for text in content[1:]]
        server.files[batch["output_file_id"]] = "\n".join([line.replace("KEY", json.dumps(first)), *answered]).encode()

    server.after_batch = spoil
    answers = asyncio.run(ask_all(server, tmp_path, ["question 0", "question 1", "question 2"]))
    assert answers[0].reason == reason
    assert [answer.text for answer in answers[1:]] == ["answer\u2028 to question 1", "answer\u2028 to question 2"]
