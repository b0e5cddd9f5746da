"""The batch API of OpenAI and of servers that have it: answers within a day, for half the price.

To the run it looks like any other back end, only that very many users are worked on at a time. Requests that come
together go into one batch. Which batches were sent is noted in ``batches.jsonl`` before they are, so that a run that is
started again waits for what is under way instead of paying for it again.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.journal import Journal, read_journal
from recbole_llmdistill.profiles.llm.openai import OpenAIBackend, OpenAIOptions, refused_parameter
from recbole_llmdistill.profiles.llm.protocol import Answer, Request, RequestFailed

BATCHES = "batches.jsonl"
PRICE_FACTOR = 0.5

_MOST_REQUESTS = 20_000  # of the 50,000 that OpenAI allows
_MOST_BYTES = 150_000_000  # of the 200 MB
_FINAL = ("completed", "failed", "expired", "cancelled")
_NAME = "llmdistill_batch"
_LONGEST_LINE = 16 * 2**20
_SPARE_LINES = 1000


class _BadRequest(RequestFailed):
    """The server refuses a request as it is; ``message`` and ``parameter`` say why."""

    def __init__(self, detail: str, message: str, parameter: object) -> None:
        super().__init__("http", detail)
        self.message, self.parameter = message, parameter


class OpenAIBatchBackend(OpenAIBackend):
    """See :class:`~recbole_llmdistill.profiles.llm.protocol.Backend`.

    Args:
        model, options: as for single requests.
        folder: of the run; None where nothing will be sent.
        poll_seconds: between two looks at a batch.
        gather_seconds: a batch is sent when no further request has come for so long.
    """

    def __init__(
        self,
        model: str,
        options: OpenAIOptions,
        folder: Path | None,
        poll_seconds: float = 30.0,
        gather_seconds: float = 2.0,
    ) -> None:
        super().__init__(model, options)
        self.concurrency = _MOST_REQUESTS
        self._folder, self._poll_seconds, self._gather_seconds = folder, poll_seconds, gather_seconds
        self._journal: Journal | None = None
        self._waiting: dict[str, list[asyncio.Future]] = {}
        self._new: dict[str, bytes] = {}
        self._new_bytes = 0
        self._sent: dict[str, str] = {}  # request -> name of its batch
        self._batch_ids: dict[str, str] = {}  # name -> id
        self._collecting: dict[str, asyncio.Task] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def answer(self, request: Request) -> Answer:
        """Ask; waits for the batch, hours perhaps."""
        if self._journal is None:
            self._open_journal()
        refused = self._refused
        while True:
            body = self.parameters(request, refused)
            try:
                answer = await self._answer(body)
            except _BadRequest as failure:
                name = refused_parameter(body, failure.message, failure.parameter)
                if name is None:
                    raise
                refused |= {name}
            else:
                self.remember(refused)
                return answer

    async def _answer(self, body: dict[str, Any]) -> Answer:
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:40]
        future = asyncio.get_running_loop().create_future()
        first = key not in self._waiting
        self._waiting.setdefault(key, []).append(future)
        if key in self._sent:
            self._collect(self._sent[key])
        elif first:
            line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
            self._new[key] = json.dumps(line, ensure_ascii=False).encode() + b"\n"
            self._new_bytes += len(self._new[key])
            if len(self._new) >= _MOST_REQUESTS or self._new_bytes >= _MOST_BYTES:
                self._send()
            else:
                self._send_soon()
        return await future

    async def close(self) -> None:
        """Stop waiting; batches under way go on at the server, and the next run collects them."""
        for task in self._collecting.values():
            task.cancel()
        if self._journal is not None:
            self._journal.close()
        await super().close()

    @property
    def _noted(self) -> Journal:
        assert self._journal is not None  # the first request opens it
        return self._journal

    def _open_journal(self) -> None:
        assert self._folder is not None  # without one, nothing is sent
        path = self._folder / BATCHES
        for record in read_journal(path, "name"):
            name = record["name"]
            for key in record.get("requests", ()):
                self._sent[key] = name
            if "batch_id" in record:
                self._batch_ids[name] = record["batch_id"]
            if record.get("collected"):
                self._sent = {key: batch for key, batch in self._sent.items() if batch != name}
        self._journal = Journal(path)

    def _send_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._gather_seconds, self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        new, self._new, self._new_bytes = self._new, {}, 0
        if not new:
            return
        content = b"".join(new.values())
        name = uuid.uuid4().hex  # the same requests, sent again, are another batch
        self._sent |= dict.fromkeys(new, name)
        self._noted.append({"name": name, "requests": list(new)})
        self._collect(name, content)

    def _collect(self, name: str, content: bytes | None = None) -> None:
        if name not in self._collecting:
            self._collecting[name] = asyncio.create_task(self._send_and_collect(name, content))

    async def _send_and_collect(self, name: str, content: bytes | None) -> None:
        keys = [key for key, batch in self._sent.items() if batch == name]
        try:
            results = await self._results(name, keys, content)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # each waiting user is told; the run stops at the first
            reason = error if isinstance(error, InputError) else InputError(f"--batch: {self._one_line(error)}")
            for key in keys:
                self._tell(key, reason)
            return
        for key in keys:
            del self._sent[key]  # asked again, it is a new request
            self._tell(key, results.get(key) or RequestFailed("expired", "the batch ended before this was answered"))
        await asyncio.sleep(1)  # by then the users' lines are written
        self._noted.append({"name": name, "collected": True})

    def _tell(self, key: str, result: Answer | Exception) -> None:
        for future in self._waiting.pop(key, ()):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _results(self, name: str, keys: Collection[str], content: bytes | None) -> dict[str, Answer | Exception]:
        batch_id = self._batch_ids.get(name)
        if batch_id is None and content is None:
            batch_id = await self._find(name)
        if batch_id is None:
            if content is None:
                return {}  # noted, but never sent: the users fail and the next run asks again
            uploaded = await self.connected.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            batch = await self.connected.batches.create(
                input_file_id=uploaded.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={_NAME: name},
            )
            batch_id = self._usable_id(batch.id)
        self._noted.append({"name": name, "batch_id": batch_id})
        while (batch := await self.connected.batches.retrieve(batch_id)).status not in _FINAL:
            await asyncio.sleep(self._poll_seconds)
        if batch.status == "failed":
            problems = "; ".join(
                str(problem.message or "") for problem in (batch.errors.data if batch.errors else None) or []
            )
            self._noted.append({"name": name, "collected": True})
            problems = self.secrets.one_line(problems) or "no reason given"
            raise InputError(f"--batch: the server refused batch {batch_id}: {problems}")
        results: dict[str, Answer | Exception] = {}
        wanted = set(keys)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                async for line in self._lines(self._usable_id(file_id), len(wanted)):
                    key, result = self._read(line)
                    if key in wanted:
                        results[key] = result
        return results

    async def _find(self, name: str) -> str | None:
        """The id of a batch that was sent by a run that ended before it could note it."""
        async for batch in self.connected.batches.list(limit=100):
            if (batch.metadata or {}).get(_NAME) == name and batch.status not in ("failed", "cancelled"):
                return batch.id
        return None

    def _usable_id(self, value: object) -> str:
        if isinstance(value, str) and value == self.secrets.one_line(value, 200) and value:
            return value
        raise InputError(f"--batch: the server answers with {self._one_line(value)!r} where an id should be")

    async def _lines(self, file_id: str, requests: int) -> AsyncIterator[bytes]:
        """Lines of a file at the server, as they come; one that is too long is left out, and its request unanswered."""
        from recbole_llmdistill.servers.http_client import TRANSFER_SECONDS

        rest, skipping, lines = b"", False, 0
        async with (
            asyncio.timeout(TRANSFER_SECONDS),
            self.connected.files.with_streaming_response.content(file_id) as response,
        ):
            async for part in response.iter_bytes():
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    if not skipping:
                        yield line
                    skipping = False
                lines += len(whole)
                if len(rest) > _LONGEST_LINE:
                    rest, skipping = b"", True
                if lines > 2 * requests + _SPARE_LINES:
                    raise InputError(f"--batch: file {file_id} has more lines than there were requests")
        if rest and not skipping:
            yield rest

    def _read(self, line: bytes) -> tuple[str | None, Answer | Exception]:
        """Whose request a line answers, and how."""
        from recbole_llmdistill.servers.answers import read_json

        try:
            record = read_json(line.decode("utf-8", "replace"))
        except ValueError:
            return None, _no_answer(line)
        key = record.get("custom_id") if isinstance(record, dict) else None
        if not isinstance(key, str):
            return None, _no_answer(line)
        try:
            return key, self._result(record)
        except RequestFailed as failure:
            return key, failure
        except Exception:  # whatever a server sends, this user fails and no other
            return key, _no_answer(line)

    def _result(self, record: dict[str, Any]) -> Answer:
        from recbole_llmdistill.profiles.llm.completion import answer_of

        response = record.get("response")
        response = response if isinstance(response, dict) else {}
        if not record.get("error") and response.get("status_code") == 200:
            return answer_of(response.get("body"), self.secrets)
        status, error = response.get("status_code"), record.get("error") or response.get("body")
        message = json.dumps(error, ensure_ascii=False)
        detail = f"status {status}: {self.secrets.one_line(message)}"
        if status in (400, 422):
            inner = error.get("error", error) if isinstance(error, dict) else None
            raise _BadRequest(detail, message, inner.get("param") if isinstance(inner, dict) else None)
        raise RequestFailed("http", detail)


def _no_answer(line: bytes) -> RequestFailed:
    return RequestFailed("no_json", f"the line of {len(line):,} bytes in the answer of the batch is no answer")
