"""What generation needs of an LLM: count tokens, and answer one request. Another back end is one file with this."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from recbole_llmdistill.profiles.history.histories import History


@dataclass(frozen=True)
class Request:
    """One question.

    Attributes:
        text: what is sent, as the one message of the user; several chat templates know no system message.
        max_tokens: longest answer.
        history: what the text was made from, for a back end that reads no text.
    """

    text: str
    max_tokens: int
    history: History


@dataclass(frozen=True)
class Answer:
    """One answer, or what several add up to.

    Attributes:
        text: the answer.
        finish_reason: ``stop``, ``length`` (cut off), ``content_filter`` ...
        prompt_tokens: tokens sent, as the LLM counts them.
        completion_tokens: tokens answered, likewise.
        requests: how many requests these are.
        reasoning: thoughts that the server took apart from the answer itself.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    requests: int = 1
    reasoning: str = ""

    def after(self, earlier: "list[Answer]") -> "Answer":
        """This answer, with what the ``earlier`` ones cost added."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + sum(answer.prompt_tokens for answer in earlier),
            completion_tokens=self.completion_tokens + sum(answer.completion_tokens for answer in earlier),
            requests=self.requests + sum(answer.requests for answer in earlier),
        )


Ask = Callable[[Request], Awaitable[Answer]]


class RequestFailed(Exception):
    """One request has no usable answer; the user goes to ``failures.jsonl``.

    Attributes:
        reason: one word: ``empty``, ``truncated``, ``too_short``, ``refused``, ``timeout``, ``connection`` ...
        detail: one line for people.
        answer: what was answered and paid, if anything.
    """

    def __init__(self, reason: str, detail: str, answer: Answer | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.answer = reason, detail, answer


class Backend(Protocol):
    """An LLM.

    Attributes:
        llm: as given to ``--llm``, e.g. ``openai:gpt-4o-mini``.
        context_length: most tokens of prompt and answer together.
        concurrency: how many users are worked on at a time.
    """

    llm: str
    context_length: int
    concurrency: int

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without those of the chat template."""

    def as_sent(self, text: str) -> str:
        """The text as the model sees it, chat template included, where this side knows that."""

    async def start(self) -> None:
        """Load or reach the model, before anything is written.

        Raises:
            InputError: it cannot be had; says why and what to do.
        """

    async def answer(self, request: Request) -> Answer:
        """Ask.

        Raises:
            RequestFailed: no usable answer to this request.
            InputError: no request can be answered (key refused, no credit, model gone); the run stops.
        """

    async def close(self) -> None:
        """Let go of connections and memory."""
