"""The run: users or items in, texts out, as many at a time as the back end likes; nothing is kept but what is under
way.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES, USERS
from recbole_llmdistill.profiles.answer_checks import check_answer, named_titles
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.ledger import Ledger
from recbole_llmdistill.profiles.llm.protocol import Answer, Backend, Request, RequestFailed
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.stopping import Stop
from recbole_llmdistill.profiles.strategies.task import Question, Strategy, Task, all_of
from recbole_llmdistill.profiles.subjects import Subjects


@dataclass
class Progress:
    """What a run has done so far.

    Attributes:
        profiles, failures: users (or items) with and without a text.
        requests: answered requests, of failed users too.
        prompt_tokens, completion_tokens: of these.
        cut_interactions: interactions (or fields of an item) longer than the context.
        naming_held_out: profiles that name a title of the user's held-out items.
        failure_reasons: failures by reason.
    """

    profiles: int = 0
    failures: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut_interactions: int = 0
    naming_held_out: int = 0
    failure_reasons: dict[str, int] = field(default_factory=dict)


class Parts(Protocol):
    """What a writer needs of a :class:`~recbole_llmdistill.profiles.ledger.Ledger`."""

    def part(self, token: str, text: str) -> Answer | None:
        """The answer to this request that an earlier run has got."""

    def add_part(self, token: str, text: str, answer: Answer) -> None:
        """Keep the answer to this request."""


class ProfileWriter:
    """Writes the text, or texts, of one user or item.

    Args:
        subjects: all that can have a text.
        prompts: one per view.
        strategy: for histories longer than the context.
        backend: the LLM, started.
        window: its context.
    """

    def __init__(
        self, subjects: Subjects, prompts: list[Prompt], strategy: Strategy, backend: Backend, window: ContextBudget
    ) -> None:
        self.subjects, self.prompts, self.strategy = subjects, prompts, strategy
        self.backend, self.window = backend, window

    async def write(self, index: int, ledger: Parts | None, progress: Progress) -> dict[str, Any]:
        """The record of one: a line of ``profiles.jsonl`` or ``items.jsonl``.

        Args:
            index: among the subjects.
            ledger: knows the answers that earlier runs have got, and keeps those of this one; None: nothing is kept.
            progress: to be kept up.

        Raises:
            RequestFailed: no text.
            InputError: the run cannot go on.
        """
        of, history = self.subjects.of, self.subjects[index]

        async def ask(task: Task, question: Question) -> Answer:
            text = task.prompt.render(question.part, self.subjects.header, question.lines, question.profiles)
            keep = not (question.last and len(self.prompts) == 1)
            if ledger is not None and (known := self._known(ledger, history.token, text, task.prompt)) is not None:
                return known
            request = Request(text, self.window.max_tokens[task.prompt.name], history)
            try:
                answer = await self.backend.answer(request)
            except RequestFailed as failure:
                if failure.answer is not None:
                    _count(progress, failure.answer)
                raise
            _count(progress, answer)
            checked = check_answer(answer, task.prompt.min_words)
            if ledger is not None and (keep or checked is not answer):
                ledger.add_part(history.token, text, answer)  # as it came: what was taken out of it is paid, too
            return checked

        tasks = [Task(history, self.subjects.header, prompt, self.window, ask) for prompt in self.prompts]
        answers = await all_of(self.strategy(task) for task in tasks)
        texts = {prompt.name: answer.text.strip() for prompt, answer in zip(self.prompts, answers, strict=True)}
        total = answers[0].after(answers[1:])
        record: dict[str, Any] = {of.id: history.token}
        if len(texts) == 1:
            record[of.text] = answers[0].text.strip()
        else:
            record[f"{of.text}s"] = texts
        record |= {
            "prompt": {prompt.name: prompt.hash for prompt in self.prompts},
            "model": self.backend.llm,
            "requests": total.requests,
            "prompt_tokens": total.prompt_tokens,
            "completion_tokens": total.completion_tokens,
            "finish_reason": total.finish_reason,
            "created": _now(),
        }
        if of is USERS:
            record |= {"interactions": len(history.items), "history": history.digest}
        if cut := max(task.cut_interactions for task in tasks):
            record[f"cut_{of.shown}"] = cut
        if left_out := max(task.left_out_interactions for task in tasks):
            record["left_out_interactions"] = left_out
        if named := named_titles("\n".join(texts.values()), self.subjects.held_out_titles(index)):
            record["names_held_out"] = named
        return record

    @staticmethod
    def _known(ledger: Parts, token: str, text: str, prompt: Prompt) -> Answer | None:
        """An earlier run's answer, which may be from before thoughts were taken out of answers."""
        known = ledger.part(token, text)
        try:
            return known and check_answer(known, prompt.min_words)
        except RequestFailed:
            return None


async def generate(
    writer: ProfileWriter, indices: np.ndarray, ledger: Ledger, progress: Progress, report: Callable[[Progress], None]
) -> None:
    """Write the texts of users or items.

    Ctrl-C (or SIGTERM) starts no further one and waits for the answers under way, which are paid; a second one drops
    them.

    Args:
        writer: writes one.
        indices: which of them, ``[N]``.
        ledger: where to.
        progress: to be kept up.
        report: called after each.

    Raises:
        KeyboardInterrupt: it was interrupted; all answers are written.
        InputError: it cannot go on; the same.
    """
    remaining: Iterator[int] = iter(indices.tolist())
    stop = Stop(writer.subjects.of, limit=50 + writer.backend.concurrency)

    async def work() -> None:
        for index in remaining:
            if stop.requested:
                return
            try:
                record = await writer.write(index, ledger, progress)
            except RequestFailed as failure:
                add_failure(ledger, progress, failure_record(writer.subjects, index, failure))
                stop.after_failure(failure)
            except InputError as error:
                stop.because_of(error)
                return
            else:
                add_profile(ledger, progress, record)
                stop.after_profile()
            report(progress)

    workers = [asyncio.create_task(work()) for _ in range(min(writer.backend.concurrency, len(indices)))]
    with stop.on_signals(workers):
        results = await asyncio.gather(*workers, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
    stop.raise_reason()


def add_profile(ledger: Ledger, progress: Progress, record: dict[str, Any]) -> None:
    """Keep a finished text."""
    ledger.add_profile(record)
    progress.profiles += 1
    progress.cut_interactions += sum(record.get(f"cut_{of.shown}", 0) for of in ENTITIES.values())
    progress.naming_held_out += "names_held_out" in record


def add_failure(ledger: Ledger, progress: Progress, record: dict[str, Any]) -> None:
    """Keep a failure."""
    ledger.add_failure(record)
    progress.failures += 1
    progress.failure_reasons[record["reason"]] = progress.failure_reasons.get(record["reason"], 0) + 1


def failure_record(subjects: Subjects, index: int, failure: RequestFailed) -> dict[str, Any]:
    """A line of ``failures.jsonl``."""
    token = str(subjects.tokens[index])
    record: dict[str, Any] = {
        subjects.of.id: token,
        "reason": failure.reason,
        "detail": failure.detail,
        "created": _now(),
    }
    if failure.answer is not None:
        record["answer"] = failure.answer.text[:2000]
        if failure.answer.reasoning:
            record["reasoning"] = failure.answer.reasoning[:2000]
        record["prompt_tokens"] = failure.answer.prompt_tokens
        record["completion_tokens"] = failure.answer.completion_tokens
    return record


def _count(progress: Progress, answer: Answer) -> None:
    progress.requests += answer.requests
    progress.prompt_tokens += answer.prompt_tokens
    progress.completion_tokens += answer.completion_tokens


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
