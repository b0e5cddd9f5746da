"""``--show-prompt``: what would be sent for one user (or item), without sending it."""

import asyncio
from collections.abc import Iterator

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.llm.protocol import Answer, Backend
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies.task import Question, Strategy, Task
from recbole_llmdistill.profiles.subjects import Subjects


def show_prompt(
    token: str, subjects: Subjects, prompts: list[Prompt], strategy: Strategy, backend: Backend, window: ContextBudget
) -> Iterator[str]:
    """Every request for one, in the order of sending; answers that are not there yet have a mark in their place.

    Raises:
        InputError: there is none of that name, or nothing to be shown of it.
    """
    found = np.flatnonzero(subjects.tokens == token)
    if not len(found):
        raise InputError(f"--show-prompt: {subjects.of.noun} {token!r} is unknown or lacks {subjects.of.source}")
    history = subjects[int(found[0])]
    shown: list[str] = []

    async def show(task: Task, question: Question) -> Answer:
        text = task.prompt.render(question.part, subjects.header, question.lines, question.profiles)
        number = len(shown) + 1
        title = f"--- request {number}: {task.prompt.name}, {question.part}, about {question.tokens} tokens ---"
        shown.append(f"{title}\n{backend.as_sent(text)}")
        return Answer(f"[answer to request {number}]", "stop", 0, 0)

    async def show_all() -> None:
        for prompt in prompts:
            await strategy(Task(history, subjects.header, prompt, window, show))

    asyncio.run(show_all())
    yield from shown
