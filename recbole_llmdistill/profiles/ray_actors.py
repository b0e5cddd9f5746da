"""``--ray``: local models as actors of a Ray cluster, one a GPU, fed by Ray Data.

What is shown lies once in each machine's object store; what Ray Data hands out are indices into it.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.parts import Choice
from recbole_llmdistill.profiles.context import ContextBudget
from recbole_llmdistill.profiles.generation import (
    ProfileWriter,
    Progress,
    add_failure,
    add_profile,
    failure_record,
)
from recbole_llmdistill.profiles.ledger import Ledger
from recbole_llmdistill.profiles.llm.protocol import LLM, Answer, RequestFailed
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies import STRATEGIES
from recbole_llmdistill.profiles.subjects import Subjects
from recbole_llmdistill.ray_cluster import ray_cluster
from recbole_llmdistill.ray_data import map_by_actors


class ProfileActor:
    """Holds a model; Ray Data calls it with users.

    Args:
        subjects: all that can have a text, or a reference to them in Ray's object store.
        llm: the LLM.
        prompts: one per view.
        strategy: name of the strategy.
        max_tokens: longest answer, by the name of the prompt.
    """

    def __init__(
        self, subjects: Any, llm: Choice[LLM], prompts: list[Prompt], strategy: str, max_tokens: dict[str, int]
    ) -> None:
        import ray

        self._subjects: Subjects = ray.get(subjects) if isinstance(subjects, ray.ObjectRef) else subjects
        self._loop = asyncio.new_event_loop()
        backend = llm.part.make(llm.model, llm.options, self._subjects, None)
        self._loop.run_until_complete(backend.start())
        window = ContextBudget(backend.count_tokens, backend.context_length, max_tokens)
        self._writer = ProfileWriter(self._subjects, prompts, STRATEGIES[strategy], backend, window)

    def __call__(self, rows: dict[str, np.ndarray]) -> dict[str, list]:
        """``users`` of a row: indices as JSON. Back come ``records`` as JSON, or why there are none."""
        done: dict[str, list] = {"records": [], "failure": []}
        for users in rows["users"]:
            try:
                records, failure = self._loop.run_until_complete(self._write(json.loads(users))), ""
            except InputError as error:  # Ray would wrap it in a traceback of its own
                records, failure = [], str(error)
            done["records"].append(json.dumps(records))
            done["failure"].append(failure)
        return done

    async def _write(self, indices: list[int]) -> list[dict[str, Any]]:
        return await asyncio.gather(*(self._record(index) for index in indices))

    async def _record(self, index: int) -> dict[str, Any]:
        progress, parts = Progress(), CollectedParts()
        try:
            record = await self._writer.write(index, parts, progress)
        except RequestFailed as failure:
            record = failure_record(self._subjects, index, failure)
        return {
            "record": record,
            "counts": [progress.requests, progress.prompt_tokens, progress.completion_tokens],
            "parts": parts.collected,
        }


class CollectedParts:
    """Takes the place of the ledger, which only the process that started the run may write.

    Attributes:
        collected: user, request and answer of each part, as JSON values.
    """

    def __init__(self) -> None:
        self.collected: list[tuple[str, str, dict[str, Any]]] = []

    def part(self, token: str, text: str) -> None:
        """None: what earlier runs have got stays where the ledger is."""

    def add_part(self, token: str, text: str, answer: Answer) -> None:
        """Keep the answer to this request."""
        self.collected.append((token, text, asdict(answer)))


def generate_with_ray(
    subjects: Subjects,
    indices: np.ndarray,
    llm: Choice[LLM],
    prompts: list[Prompt],
    strategy: str,
    max_tokens: dict[str, int],
    ledger: Ledger,
    progress: Progress,
    report: Callable[[Progress], None],
    address: str,
) -> None:
    """Write the texts on a cluster. Records are written here as they arrive; a killed run loses what was under way.

    Args:
        subjects: all that can have a text.
        indices: which users, ``[users]``.
        llm, prompts, strategy, max_tokens: as for :class:`ProfileActor`.
        ledger: where to.
        progress: to be kept up.
        report: called after each user.
        address: ``auto`` for the running cluster, ``local`` for one on this machine, or ``ray://HOST:PORT``.

    Raises:
        InputError: no cluster at that address, or a model cannot be used.
    """
    import ray

    go_on = "the same command goes on from there"
    with ray_cluster(address, "--ray", "cluster", f"no {subjects.of.noun} has been written", go_on) as cluster:
        users_a_call = llm.part.users_a_call(llm.options)
        tasks = [
            {"users": json.dumps(indices[start : start + users_a_call].tolist())}
            for start in range(0, len(indices), users_a_call)
        ]
        arguments = [ray.put(subjects), llm, prompts, strategy, max_tokens]
        for row in map_by_actors(cluster, ProfileActor, arguments, tasks):
            for result in json.loads(row["records"]):
                requests, prompt_tokens, completion_tokens = result["counts"]
                progress.requests += requests
                progress.prompt_tokens += prompt_tokens
                progress.completion_tokens += completion_tokens
                for token, text, answer in result["parts"]:
                    ledger.add_part(token, text, Answer(**answer))
                keep = add_failure if "reason" in result["record"] else add_profile
                keep(ledger, progress, result["record"])
                report(progress)
