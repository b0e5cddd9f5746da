"""``recent``: the newest interactions that fit, and no others."""

import itertools

from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.strategies.task import Task


async def recent(task: Task) -> Answer:
    """One request."""
    room = task.room("create")
    lines, costs = task.measured_lines(room)
    totals = list(itertools.accumulate(reversed(costs)))
    fitting = sum(total <= room for total in totals)
    joined = task.history.joined or [1] * len(lines)
    task.left_out_interactions = sum(joined[: len(lines) - fitting])
    newest = slice(len(lines) - fitting, len(lines))
    pairs = zip(lines[newest], task.history.lines[newest], strict=True)
    task.cut_interactions = sum(line is not original for line, original in pairs)
    return await task.ask(task, task.question("create", lines, newest, tokens=sum(costs[newest])))
