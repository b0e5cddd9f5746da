"""``none:summary``: a deterministic statistical summary in words. There is no LLM in it.

For trying the pipeline without a model, and as the baseline that an LLM has to beat. Of an item it gives the fields as
they are.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from recbole_llmdistill.formats.entity import ITEMS
from recbole_llmdistill.profiles.history.item_text import CELL, MISSING
from recbole_llmdistill.profiles.history.item_values import split_values
from recbole_llmdistill.profiles.llm.protocol import LLM, Answer, Backend, LLMOptions, Request
from recbole_llmdistill.profiles.prompts import Prompt

if TYPE_CHECKING:
    from recbole_llmdistill.profiles.history.histories import Histories, History
    from recbole_llmdistill.profiles.subjects import Subjects

_NAME = "none:summary"
_PROMPT = Prompt(
    name="summary",
    description="none:summary reads the history itself",
    max_tokens=1,
    expected_tokens=1,
    min_words=0,
    create="{history}",
    update="{profile}{history}",
    merge="{profiles}",
)
"""Takes the place of a prompt."""

_TOP = 8
_MOST_CATEGORIES = 0.2
"""A field is one of categories if it has at most so many different words per item; else it is text."""
_COMMON = 0.05
"""Words in more than this share of the items say nothing about a user."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Summary(LLM):
    """``none:summary``."""

    name = _NAME
    title = "no LLM: a statistical summary in words, to try things without one and as the baseline"
    prompt = _PROMPT
    asks_nobody = True
    runs_on_ray = True

    @classmethod
    def make(cls, model: str, options: LLMOptions, subjects: Subjects, folder: Path | None) -> Backend:
        """As :class:`~recbole_llmdistill.profiles.llm.protocol.LLM`."""
        return FieldsBackend() if subjects.of is ITEMS else SummaryBackend(cast("Histories", subjects))


class FieldsBackend:
    """See :class:`~recbole_llmdistill.profiles.llm.protocol.Backend`; answers with what is shown, as it is."""

    llm = _NAME
    context_length = 10**12
    concurrency = 1

    def count_tokens(self, text: str) -> int:
        """None: nothing is sent."""
        return 0

    def as_sent(self, text: str) -> str:
        """What is shown; no model sees it."""
        return text

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def answer(self, request: Request) -> Answer:
        """What the request was made from."""
        await asyncio.sleep(0)  # lets the progress bar and Ctrl-C in
        return Answer(self.describe(request.history), "stop", 0, 0)

    def describe(self, history: History) -> str:
        """The lines."""
        return "\n".join(history.lines)


class SummaryBackend(FieldsBackend):
    """The same for a user, whose history is summarised.

    Args:
        histories: whose catalogue is summarised.
    """

    def __init__(self, histories: Histories) -> None:
        self.histories = histories
        items = [text.split(CELL) for text in histories.catalogue.texts[1:]]
        kinds = histories.catalogue.kinds or ("token_seq",) * len(histories.catalogue.labels)
        self._fields = [
            _Numbers(label, [cells[column] for cells in items])
            if kind == "float"
            else _Field(label, [cells[column] for cells in items], kind)
            for column, (label, kind) in enumerate(zip(histories.catalogue.labels, kinds, strict=True))
        ]

    def describe(self, history: History) -> str:
        """Shares of categories, words that stand out, values of the interactions, and what is new in the last third."""
        items = history.items - 1  # without the padding item
        sentences = [f"Statistical summary of {len(items)} interactions, without a language model."]
        for field in self._fields:
            sentences += field.describe(items)
        for column, values in zip(self.histories.columns, history.columns, strict=True):
            sentences += _describe_values(column.label, values)
        return " ".join(sentences)


class _Numbers:
    """A field of numbers, such as a price."""

    def __init__(self, label: str, cells: Sequence[str]) -> None:
        self.label, self.cells = label, cells

    def describe(self, items: np.ndarray) -> list[str]:
        return _describe_values(self.label, [self.cells[item] for item in items.tolist()])


class _Field:
    """One field of the catalogue: the words or whole values of each item, and how many items have each of them."""

    def __init__(self, label: str, cells: Sequence[str], kind: str) -> None:
        self.label = label
        self.words, whole = split_values([cell if cell != MISSING else "" for cell in cells], kind, _WORD)
        self.items_with = Counter(word for words in self.words for word in set(words))
        self.categories = whole or len(self.items_with) <= _MOST_CATEGORIES * len(cells)

    def describe(self, items: np.ndarray) -> list[str]:
        if not self.categories:
            return self._describe_text(items)
        counts = self._count(items)
        if not counts:
            return []
        total = sum(counts.values())
        top = ", ".join(f"{word} {count / total:.0%}" for word, count in _top(counts))
        sentences = [f"{self.label}: {top}."]
        recent = self._count(items[-max(1, len(items) // 3) :])
        recent_total = sum(recent.values())
        if len(items) >= 9 and recent_total:
            gain = {word: recent[word] / recent_total - counts[word] / total for word in counts}
            more = [
                word for word, change in sorted(gain.items(), key=lambda pair: (-pair[1], pair[0])) if change >= 0.05
            ]
            less = [
                word for word, change in sorted(gain.items(), key=lambda pair: (pair[1], pair[0])) if change <= -0.05
            ]
            sentences += [f"Of late more {', '.join(more[:3])}."] if more else []
            sentences += [f"Of late less {', '.join(less[:3])}."] if less else []
        return sentences

    def _describe_text(self, items: np.ndarray) -> list[str]:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        total = len(self.words)
        weights = {
            word: count * math.log(total / self.items_with[word])
            for word, count in self._count(items).items()
            if count > 1
            and self.items_with[word] <= max(2, _COMMON * total)
            and len(word) > 2
            and word.lower() not in ENGLISH_STOP_WORDS
        }
        top = ", ".join(word for word, _ in _top(weights))
        return [f"Words that stand out in {self.label}: {top}."] if top else []

    def _count(self, items: np.ndarray) -> Counter[str]:
        return Counter(word for item in items.tolist() for word in self.words[item])


def _top(weights: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]


def _describe_values(label: str, values: list[str]) -> list[str]:
    try:
        numbers = [float(value) for value in values if value != MISSING]
    except ValueError:
        total = len(values)
        return [
            f"{label}: " + ", ".join(f"{value} {count / total:.0%}" for value, count in _top(Counter(values))) + "."
        ]
    if not numbers:
        return []
    text = f"{label}: mean {np.mean(numbers):.1f}, spread {np.std(numbers):.1f}"
    if len(numbers) >= 9:
        text += f", of late {np.mean(numbers[-(len(numbers) // 3) :]):.1f}"
    return [text + "."]
