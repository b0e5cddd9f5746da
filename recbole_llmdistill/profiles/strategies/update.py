"""``update``: profile the first part of the history, then revise the profile with each further part."""

from recbole_llmdistill.profiles.context import split
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.strategies.task import Task


async def update(task: Task) -> Answer:
    """One request a part, one after the other."""
    first_room = room = task.room("create")
    lines, costs = task.measured_lines(first_room)
    if sum(costs) > first_room:
        room = task.room("update")
        lines, costs = task.measured_lines(min(first_room, room))
    parts = split(costs, first_room, room)
    first, *further = parts
    answer = await task.ask(task, task.question("create", lines, first, tokens=sum(costs[first]), last=not further))
    for number, part in enumerate(further, start=2):
        tokens = sum(costs[part]) + task.window.text_tokens(answer.text)
        question = task.question("update", lines, part, [answer.text], tokens, last=number == len(parts))
        answer = (await task.ask(task, question)).after([answer])
    return answer
