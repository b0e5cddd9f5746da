"""What generation needs of an LLM: count tokens, and answer one request.

Another back end is one module in this folder, with an :class:`LLM` and a :class:`Backend`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.parts import Kind, Part
from recbole_llmdistill.profiles.prompts import Prompt

if TYPE_CHECKING:
    from recbole_llmdistill.profiles.history.histories import History
    from recbole_llmdistill.profiles.subjects import Subjects


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

    def after(self, earlier: list[Answer]) -> Answer:
        """This answer, with what the ``earlier`` ones cost added."""
        return replace(
            self,
            prompt_tokens=self.prompt_tokens + sum(answer.prompt_tokens for answer in earlier),
            completion_tokens=self.completion_tokens + sum(answer.completion_tokens for answer in earlier),
            requests=self.requests + sum(answer.requests for answer in earlier),
        )


Ask = Callable[[Request], Awaitable[Answer]]


class RequestFailed(Exception):
    """One request has no usable answer; the user (or item) goes to ``failures.jsonl``.

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
        concurrency: how many users (or items) are worked on at a time.
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


class LLMOptions(Options):
    """Options of every LLM."""

    temperature: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="0 takes the likeliest words",
        json_schema_extra={"group": "LLM"},
    )
    context_length: int | None = Field(
        None,
        ge=1,
        description="prompt and answer (default: the model's)",
        json_schema_extra={"group": "LLM", "metavar": "N"},
    )
    seed: int = Field(0, description="of the sampling", json_schema_extra={"cli": False})


class LLM(Part):
    """Declares a back end: see :class:`~recbole_llmdistill.parts.Part`; its options derive from LLMOptions.

    Attributes:
        prompt: takes the place of all prompts; None: it is asked by prompts.
        asks_nobody: there is no model in it, so there is nothing to count and to pay.
        is_server: it says how long its context is when it is reached, at the backend's ``base_url``.
        runs_on_ray: each process of a cluster may have a copy.
    """

    Options: ClassVar[type[LLMOptions]] = LLMOptions
    prompt: ClassVar[Prompt | None] = None
    asks_nobody: ClassVar[bool] = False
    is_server: ClassVar[bool] = False
    runs_on_ray: ClassVar[bool] = False

    @classmethod
    def make(cls, model: str, options: Any, subjects: Subjects, folder: Path | None) -> Backend:
        """Make the back end; nothing is sent or loaded but a tokenizer.

        Args:
            model: its name or folder; empty for a back end that takes none.
            options: an instance of ``cls.Options``.
            subjects: all that can have a text.
            folder: where a run writes; None: nowhere.

        Raises:
            InputError: an option cannot be used, or a package is missing.
        """
        raise NotImplementedError

    @classmethod
    def counts_tokens(cls, options: Any) -> str:
        """How tokens are counted, for people."""
        return "by the model's tokenizer"

    @classmethod
    def price_factor(cls, options: Any) -> float:
        """What a token costs, as a share of the price that is given."""
        return 1.0

    @classmethod
    def users_a_call(cls, options: Any) -> int:
        """How many users a process of a cluster works on at a time."""
        return 32

    @classmethod
    def to_ask_briefly(cls, options: Any) -> Any:
        """Options for a server that is asked only how long its context is, and not for long."""
        return options


LLMS = Kind("recbole_llmdistill.profiles.llm", LLM, "--llm", "LLM", strict=False)
