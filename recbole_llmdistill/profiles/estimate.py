"""What a run will ask and cost, counted by the very strategies that will run, without sending anything."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies.task import Question, Strategy, Task
from recbole_llmdistill.profiles.subjects import Subjects


@dataclass(frozen=True)
class Price:
    """In the same currency, per million tokens."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Cost of so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass
class Estimate:
    """Counts of a run.

    Attributes:
        of: users or items, who are called users below.
        users: who are to get a text.
        requests: for them.
        prompt_tokens: in these.
        completion_tokens: expected answers.
        most_completion_tokens: if every answer were as long as allowed.
        split_users: users whose history does not fit into one request and is shown in parts.
        shortened_users: users who have interactions that are left out (``recent``) or cut.
    """

    of: Entity = USERS
    users: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: float = 0.0
    most_completion_tokens: int = 0
    split_users: int = 0
    shortened_users: int = 0

    def lines(self, price: Price | None, tokens_are: str, context: str) -> list[str]:
        """For people.

        Args:
            price: of the tokens.
            tokens_are: how they were counted.
            context: its length, and who says so.
        """
        counts = [
            f"context {context}",
            f"{self.of.name} {self.users:,} ({self._too_long()})",
            f"requests {self.requests:,}",
            f"prompt tokens {self.prompt_tokens:,} ({tokens_are})",
            f"answer tokens about {self.completion_tokens:,.0f}, at most {self.most_completion_tokens:,}",
        ]
        if price is None:
            counts.append("cost: give --price-in and --price-out, per million tokens")
            return counts
        expected = price.of(self.prompt_tokens, self.completion_tokens)
        most = price.of(self.prompt_tokens, self.most_completion_tokens)
        counts.append(f"cost about {expected:,.2f}, at most {most:,.2f}")
        if self.users:
            counts.append(f"a million such {self.of.name}: about {expected / self.users * 1e6:,.0f}")
        return counts

    def _too_long(self) -> str:
        if self.of is not USERS:
            return f"{self.shortened_users:,} with {self.of.shown} longer than the context, cut"
        return (
            f"{self.split_users:,} with a history longer than the context, shown in parts; "
            f"{self.shortened_users:,} with one that is shortened"
        )


async def estimate(
    subjects: Subjects,
    indices: np.ndarray,
    prompts: list[Prompt],
    strategy: Strategy,
    window: ContextBudget,
    answer_tokens: float | None = None,
    report: Callable[[int], None] = lambda users: None,
) -> Estimate:
    """Count what those of ``indices`` need.

    Args:
        subjects: all that can have a text.
        indices: which of them, ``[N]``.
        prompts: one per view.
        strategy: for long histories.
        window: the model's context.
        answer_tokens: mean length of the answers, if it is known; unset: what the prompt expects.
        report: called with 1 after each.

    Raises:
        InputError: the context is too small.
    """
    total = Estimate(subjects.of, len(indices))
    expected = {
        prompt.name: answer_tokens or min(prompt.expected_tokens, window.max_tokens[prompt.name]) for prompt in prompts
    }
    placeholder = {name: "word " * round(tokens * 0.75) for name, tokens in expected.items()}

    async def count(task: Task, question: Question) -> Answer:
        name = task.prompt.name
        total.requests += 1
        total.prompt_tokens += question.tokens
        total.completion_tokens += expected[name]
        total.most_completion_tokens += window.max_tokens[name]
        return Answer(placeholder[name], "stop", question.tokens, round(expected[name]))

    for index in indices.tolist():
        history = subjects[index]
        before = total.requests
        tasks = [Task(history, subjects.header, prompt, window, count) for prompt in prompts]
        for task in tasks:
            await strategy(task)
        total.split_users += total.requests - before > len(prompts)
        total.shortened_users += any(task.cut_interactions or task.left_out_interactions for task in tasks)
        report(1)
    return total
