"""Splitting and strategies, against brute force and by what each request holds."""

import asyncio
import itertools
import random
import re

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.context import CUT_MARK, ContextBudget, split
from recbole_llmdistill.profiles.history.histories import History
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies import STRATEGIES
from recbole_llmdistill.profiles.strategies.task import Task

PROMPT = Prompt(
    name="p",
    description="",
    max_tokens=40,
    expected_tokens=20,
    min_words=0,
    create="Create {history}",
    update="Update {profile} {history}",
    merge="Merge {profiles}",
)
HEADER = "title"


def words(text: str) -> int:
    return len(text.split())


def run(strategy: str, lines: list[str], context: int, answer: str = "a profile of five words") -> tuple:
    """The texts that were sent, in order, the task and the answer; a word is a token."""
    sent: list[str] = []

    async def ask(task: Task, question) -> Answer:
        text = PROMPT.render(question.part, HEADER, question.lines, question.profiles)
        assert words(text) <= question.tokens <= context - 40
        sent.append(text)
        return Answer(f"{answer} {len(sent)}", "stop", words(text), 7)

    window = ContextBudget(words, context, {"p": 40})
    task = Task(History("u", np.arange(len(lines)), lines), HEADER, PROMPT, window, ask)
    return sent, task, asyncio.run(STRATEGIES[strategy](task))


def shown(text: str) -> list[str]:
    return text.split("<history>\n")[1].split("\n</history>")[0].split("\n")[1:]


@pytest.mark.parametrize("seed", range(30))
def test_split_has_as_few_parts_as_any_cut(seed: int) -> None:
    """Against every way to cut at interaction borders."""
    draw = random.Random(seed)
    costs = [draw.randint(1, 9) for _ in range(draw.randint(1, 10))]
    first, room = draw.randint(9, 20), draw.randint(9, 20)
    parts = split(costs, first, room)
    assert list(itertools.chain(*(range(len(costs))[part] for part in parts))) == list(range(len(costs)))
    rooms = [first, *[room] * len(parts)]
    assert all(sum(costs[part]) <= rooms[number] for number, part in enumerate(parts))

    def fits(borders: tuple[int, ...]) -> bool:
        edges = [0, *borders, len(costs)]
        return all(
            sum(costs[start:end]) <= (first if number == 0 else room)
            for number, (start, end) in enumerate(itertools.pairwise(edges))
        )

    fewest = next(
        number + 1
        for number in range(len(costs))
        if any(fits(borders) for borders in itertools.combinations(range(1, len(costs)), number))
    )
    assert len(parts) == fewest


def test_parts_of_equal_room_are_even() -> None:
    sizes = [part.stop - part.start for part in split([1] * 21, 10, 10)]
    assert sizes == [7, 7, 7]


@pytest.mark.parametrize("strategy", ["merge_after", "update", "recent"])
def test_what_fits_is_one_request(strategy: str) -> None:
    lines = [f"film {number}" for number in range(20)]
    sent, task, answer = run(strategy, lines, 400)
    assert len(sent) == 1
    assert shown(sent[0]) == lines
    assert (answer.requests, answer.completion_tokens) == (1, 7)
    assert task.cut_interactions == task.left_out_interactions == 0


def test_merge_after_shows_everything_once_and_merges_in_order() -> None:
    lines = [f"film {number}" for number in range(400)]
    sent, _, answer = run("merge_after", lines, 400)
    creates = [text for text in sent if text.startswith("Create")]
    merges = [text for text in sent if text.startswith("Merge")]
    assert [line for text in creates for line in shown(text)] == lines
    assert len(creates) == 3  # 800 words, of the 400 are 320 free
    assert len(merges) == 1
    assert re.findall(r"five words (\d+)", merges[0]) == ["1", "2", "3"]
    assert answer.text.endswith(f" {len(sent)}")
    assert answer.requests == len(sent) == 4
    assert answer.prompt_tokens == sum(map(words, sent))


def test_merging_recurs_where_the_profiles_do_not_fit_either() -> None:
    lines = [f"film {number}" for number in range(1000)]
    sent, _, answer = run("merge_after", lines, 200, "word" + " word" * 37)
    merges = [text for text in sent if text.startswith("Merge")]
    assert len(merges) > 2
    used = [int(number) for text in merges for number in re.findall(r"word (\d+)", text)]
    assert sorted(used) == list(range(1, len(sent)))  # each answer but the last is merged exactly once
    assert answer.requests == len(sent)


def test_update_revises_with_each_part() -> None:
    lines = [f"film {number}" for number in range(300)]
    sent, _, answer = run("update", lines, 400)
    assert [text.split()[0] for text in sent] == ["Create", *["Update"] * (len(sent) - 1)]
    assert [line for text in sent for line in shown(text)] == lines
    for number, text in enumerate(sent[1:], start=1):
        assert f"<profile>\na profile of five words {number}\n</profile>" in text
    assert answer.requests == len(sent)


def test_recent_shows_the_newest_that_fit() -> None:
    lines = [f"film {number}" for number in range(300)]
    sent, task, _ = run("recent", lines, 400)
    (text,) = sent
    newest = shown(text)
    assert newest == lines[-len(newest) :]
    assert task.left_out_interactions == 300 - len(newest) > 0
    room = task.room("create")
    assert room - 2 < 2 * len(newest) <= room


@pytest.mark.parametrize("strategy", ["merge_after", "update", "recent"])
def test_an_interaction_above_the_context_is_cut_with_a_mark(strategy: str) -> None:
    lines = ["film 1", "film 2", "word " * 900]
    sent, task, _ = run(strategy, lines, 400)
    cut = next(line for text in sent for line in shown(text) if line.endswith(CUT_MARK))
    assert cut.startswith("word word")
    assert words(cut) <= task.room("create")
    assert words(cut) >= task.room("create") - 80
    assert task.cut_interactions == 1
    assert task.left_out_interactions == (2 if strategy == "recent" else 0)


def test_too_small_a_context() -> None:
    with pytest.raises(InputError, match=r"context of 100 tokens is too small for prompt 'p' \(create\)"):
        run("merge_after", ["film 1"], 100)
    with pytest.raises(InputError, match=r"\(merge\).*--strategy recent"):
        run("merge_after", ["film"] * 300, 150)
