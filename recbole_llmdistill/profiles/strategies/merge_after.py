"""``merge_after``: split the history, profile each part, merge the profiles; as often as it takes."""

from recbole_llmdistill.profiles.context import split
from recbole_llmdistill.profiles.llm.protocol import Answer
from recbole_llmdistill.profiles.strategies.task import Task, all_of


async def merge_after(task: Task) -> Answer:
    """One request if the history fits, else one a part and one or more to merge."""
    room = task.room("create")
    lines, costs = task.measured_lines(room)
    parts = split(costs, room, room)
    if len(parts) > 1:
        task.room("merge")  # stops a run whose context is too small for it before anything is asked
    answers = await all_of(
        task.ask(task, task.question("create", lines, part, tokens=sum(costs[part]), last=len(parts) == 1))
        for part in parts
    )
    return await _merge(task, answers)


async def _merge(task: Task, answers: list[Answer]) -> Answer:
    """Merge consecutive profiles in groups as large as fit, then the merged ones, until one is left."""
    if len(answers) == 1:
        return answers[0]
    costs = [task.window.text_tokens(answer.text) for answer in answers]
    groups = split(costs, task.room("merge"), task.room("merge"))
    if len(groups) == len(answers):  # counted by length alone, two profiles may look too long although they are not
        groups = [slice(start, start + 2) for start in range(0, len(answers), 2)]
    merged = await all_of(
        _merge_group(task, answers[group], sum(costs[group]), last=len(groups) == 1) for group in groups
    )
    return await _merge(task, merged)


async def _merge_group(task: Task, answers: list[Answer], tokens: int, last: bool) -> Answer:
    if len(answers) == 1:
        return answers[0]
    profiles = [answer.text for answer in answers]
    answer = await task.ask(task, task.question("merge", profiles=profiles, tokens=tokens, last=last))
    return answer.after(answers)
