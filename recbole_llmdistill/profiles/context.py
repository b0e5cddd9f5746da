"""How much of a history fits into one request, and where it is split."""

import functools
from collections.abc import Callable, Sequence

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.prompts import Part, Prompt

CUT_MARK = " [...]"
"""Ends an interaction that is longer than the context on its own."""

_CHAT_TEMPLATE_TOKENS = 32
"""Set aside for the turns of a chat template."""
_MARGIN = 0.01
"""Share of the context set aside, because the parts of a text may have some tokens less than the whole."""
_CACHED_LINES = 200_000


class ContextBudget:
    """The context of a model, as seen by one run.

    Args:
        count_tokens: tokens of a text, by the model's own tokenizer where there is one.
        context_length: most tokens of prompt and answer together.
        max_tokens: longest answer, by the name of the prompt.
    """

    def __init__(self, count_tokens: Callable[[str], int], context_length: int, max_tokens: dict[str, int]) -> None:
        self.count_tokens = count_tokens
        self.context_length = context_length
        self.max_tokens = max_tokens
        self._line_tokens = functools.lru_cache(_CACHED_LINES)(lambda line: count_tokens(line + "\n"))
        self._fixed_tokens = functools.cache(self._count_fixed)

    def fixed_tokens(self, prompt: Prompt, part: Part, header: str) -> int:
        """Tokens of a request without any interaction or profile in it."""
        return self._fixed_tokens(prompt, part, header)

    def room(self, prompt: Prompt, part: Part, header: str) -> int:
        """Tokens for interactions: what the fixed text, the answer and (``update``) a profile leave.

        Raises:
            InputError: too few to work with.
        """
        answer = self.max_tokens[prompt.name]
        room = int(self.context_length * (1 - _MARGIN)) - self.fixed_tokens(prompt, part, header) - answer
        needed = 32
        if part == "update":
            room -= self.profile_tokens(prompt)
        elif part == "merge":
            needed = 2 * self.profile_tokens(prompt)
        if room < needed:
            raise InputError(
                f"a context of {self.context_length} tokens is too small for prompt {prompt.name!r} ({part}) with "
                f"answers of {answer}: lower --max-tokens, raise --context-length, or take --strategy recent"
            )
        return room

    def profile_tokens(self, prompt: Prompt) -> int:
        """Tokens of the longest profile within a further prompt, its tags included."""
        return self.max_tokens[prompt.name] + self._line_tokens("<profile>\n</profile>")

    def line_tokens(self, lines: Sequence[str]) -> list[int]:
        """Tokens of each interaction with its line end."""
        count = self._line_tokens
        return [count(line) for line in lines]

    def text_tokens(self, text: str) -> int:
        """Tokens of a profile within a further prompt, its tags included."""
        return self.count_tokens(text) + self._line_tokens("<profile>\n</profile>")

    def cut(self, line: str, tokens: int) -> str:
        """The longest beginning of ``line`` that has at most ``tokens`` with the mark that it was cut."""
        low, high = 0, len(line)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.count_tokens(line[:middle] + CUT_MARK + "\n") <= tokens
            low, high = (middle, high) if fits else (low, middle - 1)
        return line[:low] + CUT_MARK

    def _count_fixed(self, prompt: Prompt, part: Part, header: str) -> int:
        return self.count_tokens(prompt.render(part, header)) + _CHAT_TEMPLATE_TOKENS


def split(costs: Sequence[int], first_room: int, room: int) -> list[slice]:
    """Cut a history at interaction borders into as few consecutive parts as fit; none exceeds its room.

    Where all parts have the same room their sizes are evened out, so that the last is no small remainder.

    Args:
        costs: tokens of each interaction, none above its room.
        first_room: tokens for the first part.
        room: tokens for each further one.
    """
    parts = _pack(costs, first_room, room)
    if len(parts) < 2 or first_room != room:
        return parts
    low, high = max(costs), room
    while low < high:
        middle = (low + high) // 2
        if len(_pack(costs, middle, middle)) == len(parts):
            high = middle
        else:
            low = middle + 1
    return _pack(costs, low, low)


def _pack(costs: Sequence[int], first_room: int, room: int) -> list[slice]:
    parts, start, used, limit = [], 0, 0, first_room
    for position, cost in enumerate(costs):
        if used + cost > limit and position > start:
            parts.append(slice(start, position))
            start, used, limit = position, 0, room
        used += cost
    if costs:
        parts.append(slice(start, len(costs)))
    return parts
