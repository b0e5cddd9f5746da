"""One profile to be written: a history, a prompt, the room there is, and whom to ask."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.history.histories import History
from recbole_llmdistill.profiles.history.item_text import CELL
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.prompts import Part, Prompt


@dataclass(frozen=True)
class Question:
    """A request before it is rendered; the estimate needs no text.

    Attributes:
        part: which text of the prompt.
        lines: interactions, oldest first.
        profiles: the profile to revise, or those to merge.
        tokens: of the whole prompt, counted part by part.
        last: its answer is the profile.
    """

    part: Part
    lines: Sequence[str] = ()
    profiles: Sequence[str] = ()
    tokens: int = 0
    last: bool = True


@dataclass
class Task:
    """What a strategy works on.

    Attributes:
        history: the user's history.
        header: names of the cells of a line.
        prompt: how to ask.
        window: how much fits.
        ask: sends a question.
        cut_interactions: interactions that were longer than the context, and cut.
        left_out_interactions: interactions that were not shown at all (``recent``).
    """

    history: History
    header: str
    prompt: Prompt
    window: ContextBudget
    ask: Callable[["Task", Question], Awaitable[Answer]]
    cut_interactions: int = field(default=0, init=False)
    left_out_interactions: int = field(default=0, init=False)

    def room(self, part: Part) -> int:
        """Tokens for interactions in a request of this part, but for the date that its first line may need."""
        return self.window.room(self.prompt, part, self.header) - (0 if part == "merge" else self._date_tokens)

    @property
    def _date_tokens(self) -> int:
        return self.window.line_tokens([f"{CELL}{self.history.dates[0]}"])[0] if any(self.history.dates) else 0

    def measured_lines(self, room: int) -> tuple[list[str], list[int]]:
        """The history's lines with their tokens; a line above ``room`` is cut, with a mark, and counted."""
        lines = self.history.lines
        costs = self.window.line_tokens(lines)
        if max(costs, default=0) > room:
            self.cut_interactions = sum(cost > room for cost in costs)
            lines = [
                self.window.cut(line, room) if cost > room else line for line, cost in zip(lines, costs, strict=True)
            ]
            costs = self.window.line_tokens(lines)
        return lines, costs

    def question(
        self,
        part: Part,
        lines: Sequence[str] = (),
        shown: slice = slice(0),
        profiles: Sequence[str] = (),
        tokens: int = 0,
        last: bool = True,
    ) -> Question:
        """A question about the lines ``shown``, with ``tokens`` of lines and profiles beside the fixed text."""
        fixed = self.window.fixed_tokens(self.prompt, part, self.header)
        chosen = self.history.part(lines, shown)
        if chosen and chosen[0] is not lines[shown.indices(len(lines))[0]]:
            fixed += self._date_tokens
        return Question(part, chosen, profiles, fixed + tokens, last)


class Strategy(Protocol):
    """Writes one profile."""

    async def __call__(self, task: Task) -> Answer:
        """Ask as often as needed; the answer has the costs of all requests."""


async def all_of(answers: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """All answers, asked for at a time; if one fails the others are waited for, since they are paid, and kept."""
    first, *further = answers
    if not further:
        return [await first]
    results = await asyncio.gather(first, *further, return_exceptions=True)
    found = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found
