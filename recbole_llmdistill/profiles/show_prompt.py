"""``--show-prompt``: what would be sent for one user, without sending it."""

import asyncio
from collections.abc import Iterator

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.context import Window
from recbole_llmdistill.profiles.history.histories import Histories
from recbole_llmdistill.profiles.llm.protocol import Answer, Backend
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies.task import Question, Strategy, Task


def show_prompt(
    user: str, histories: Histories, prompts: list[Prompt], strategy: Strategy, backend: Backend, window: Window
) -> Iterator[str]:
    """Every request for a user, in the order of sending; answers that are not there yet have a mark in their place.

    Raises:
        InputError: the user has no training history.
    """
    found = np.flatnonzero(histories.users == user)
    if not len(found):
        raise InputError(f"--show-prompt: user {user!r} is unknown or has no training interaction")
    history = histories[int(found[0])]
    shown: list[str] = []

    async def show(task: Task, question: Question) -> Answer:
        text = task.prompt.render(question.part, histories.header, question.lines, question.profiles)
        number = len(shown) + 1
        title = f"--- request {number}: {task.prompt.name}, {question.part}, about {question.tokens} tokens ---"
        shown.append(f"{title}\n{backend.as_sent(text)}")
        return Answer(f"[answer to request {number}]", "stop", 0, 0)

    async def show_all() -> None:
        for prompt in prompts:
            await strategy(Task(history, histories.header, prompt, window, show))

    asyncio.run(show_all())
    yield from shown
