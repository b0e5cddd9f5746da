"""Requests that wait while a batch is computed make the next batch: nobody waits for company that may not come."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from recbole_llmdistill.exports.exported_model import ExportedModel

Best = tuple[np.ndarray, np.ndarray]
"""Item numbers and scores, best first."""


class QueueFull(Exception):
    """As many sequences wait as may."""


@dataclass(frozen=True)
class Question:
    """A sequence and what is asked about it.

    Attributes:
        model: that answers; the one that the numbers are of.
        sequence: item numbers, the newest last; at least one.
        seen: item numbers to leave out.
        k: items to recommend.
    """

    model: ExportedModel
    sequence: Sequence[int]
    seen: Sequence[int]
    k: int


@dataclass
class _Waiting:
    question: Question
    answer: asyncio.Future[Best] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """Answers questions of any number of callers, one batch at a time, in a thread.

    Args:
        largest: questions of a batch.
        most_waiting: questions that may wait.
        on_batch: is told the questions and the seconds of each batch.
    """

    def __init__(self, largest: int, most_waiting: int, on_batch: Callable[[int, float], None]) -> None:
        self._largest, self._most_waiting, self._on_batch = largest, most_waiting, on_batch
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "batches")
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Questions that no batch has taken yet."""
        return len(self._queue)

    async def ask(self, questions: Sequence[Question]) -> list[Best]:
        """Answers, in their order.

        Raises:
            QueueFull: there is no room for all of them.
        """
        if len(self._queue) + len(questions) > self._most_waiting:
            raise QueueFull
        waiting = [_Waiting(question) for question in questions]
        self._queue.extend(waiting)
        self._arrived.set()
        return list(await asyncio.gather(*(one.answer for one in waiting)))

    def start(self) -> None:
        """Begin to answer, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Answer no more; what is being computed is waited for."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if not batch:
                self._arrived.clear()
                continue
            start = time.perf_counter()
            try:
                answers = await loop.run_in_executor(self._thread, _answer, [one.question for one in batch])
            except Exception as error:  # of a library: these callers hear of it, and the next batch may do
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            self._on_batch(len(batch), time.perf_counter() - start)
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():  # its caller may have gone
                    one.answer.set_result(answer)

    def _next_batch(self) -> list[_Waiting]:
        """The oldest questions, as far as they are for one model."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._largest:
            if batch and self._queue[0].question.model is not batch[0].question.model:
                break
            one = self._queue.popleft()
            if not one.answer.done():
                batch.append(one)
        return batch


def _answer(questions: list[Question]) -> list[Best]:
    sequences, seen = [one.sequence for one in questions], [one.seen for one in questions]
    items, scores = questions[0].model.best(sequences, seen, max(one.k for one in questions))
    answers = []
    for one, row, of_row in zip(questions, items, scores, strict=True):
        kept = of_row[: one.k] != -np.inf
        answers.append((row[: one.k][kept], of_row[: one.k][kept]))
    return answers
