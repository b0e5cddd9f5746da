"""What needs no socket: batches that fail, callers that go, bodies that do not come."""

import asyncio
import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("fastapi")
from recbole_llmdistill.serving.app import build_app
from recbole_llmdistill.serving.batching import Batcher, Question, QueueFull
from recbole_llmdistill.serving.service import Limits, Service


class Slow:
    """A model whose batches end when they are let, and fail where a sequence holds 13."""

    def __init__(self) -> None:
        self.batches: list[list] = []
        self.go = asyncio.Event()

    def best(self, sequences, seen, k):
        self.batches.append(sequences)
        asyncio.run_coroutine_threadsafe(self.go.wait(), self.loop).result(10)
        if any(13 in sequence for sequence in sequences):
            raise RuntimeError("unlucky")
        items = np.array([[sequence[0]] * k for sequence in sequences])
        return items, np.full(items.shape, 1.0, dtype=np.float32)

    def ask(self, number: int, k: int = 1) -> Question:
        self.loop = asyncio.get_running_loop()
        return Question(self, [number], (), k)


def test_who_waits_makes_the_next_batch_of_one_model() -> None:
    async def main() -> None:
        one, other, seen = Slow(), Slow(), []
        batcher = Batcher(3, 6, lambda size, _: seen.append(size))
        batcher.start()
        tasks = [asyncio.create_task(batcher.ask([one.ask(1)]))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batcher.ask([model.ask(n, n)])) for model, n in ((one, 2), (one, 3), (other, 4))]
        gone = asyncio.create_task(batcher.ask([other.ask(5)]))
        await asyncio.sleep(0.05)
        assert batcher.waiting == 4
        with pytest.raises(QueueFull):
            await batcher.ask([one.ask(6)] * 3)
        gone.cancel()
        one.go.set(), other.go.set()
        answers = await asyncio.gather(*tasks)
        assert [(items.tolist(), len(scores)) for ((items, scores),) in answers] == [
            ([1], 1), ([2] * 2, 2), ([3] * 3, 3), ([4] * 4, 4),
        ]  # fmt: skip
        assert (one.batches, other.batches) == ([[[1]], [[2], [3]]], [[[4]]])
        assert seen == [1, 2, 1]
        await batcher.stop()

    asyncio.run(main())


def test_a_batch_that_fails_is_the_matter_of_its_callers() -> None:
    async def main() -> None:
        model = Slow()
        model.go.set()
        batcher = Batcher(1, 6, lambda *_: None)
        batcher.start()
        results = await asyncio.gather(
            batcher.ask([model.ask(13)]), batcher.ask([model.ask(2)]), return_exceptions=True
        )
        assert str(results[0]) == "unlucky"
        assert results[1][0][0].tolist() == [2]
        await batcher.stop()

    asyncio.run(main())


def answer_to(service: Service, messages: list[dict]) -> tuple[int, dict]:
    """Status and JSON of a request to /recommend whose messages come one after the other, and then nothing."""

    async def main() -> tuple[int, dict]:
        app, sent = build_app(service), []

        async def receive() -> dict:
            if messages:
                return messages.pop(0)
            await asyncio.sleep(60)
            raise AssertionError

        async def send(message: dict) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/recommend", "headers": headers, "query_string": b""}
        await app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    return asyncio.run(main())


def test_a_body_that_does_not_come(exported_once) -> None:
    service = Service(exported_once, Limits(body_seconds=0.05))
    status, answer = answer_to(service, [{"type": "http.request", "body": b"{", "more_body": True}])
    assert (status, answer) == (408, {"error": "body: not there after 0.05 seconds"})


def test_an_error_of_ours_is_json_without_a_traceback(exported_once) -> None:
    service = Service(exported_once, Limits())
    service.batcher = SimpleNamespace(ask=None, waiting=0)
    body = b'{"sequences": [["i1"]]}'
    status, answer = answer_to(service, [{"type": "http.request", "body": body, "more_body": False}])
    assert (status, answer) == (500, {"error": "internal error (TypeError)"})
