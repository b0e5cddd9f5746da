"""``--ray``: local models as actors of a Ray cluster, one a GPU, fed by Ray Data.

The histories lie once in each machine's object store; what Ray Data hands out are indices into them.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profiles.backends.choose import LLMOptions, choose_backend
from recbole_llmdistill.profiles.backends.protocol import RequestFailed
from recbole_llmdistill.profiles.generation import (
    ProfileWriter,
    Progress,
    add_failure,
    add_profile,
    failure_record,
)
from recbole_llmdistill.profiles.histories import Histories
from recbole_llmdistill.profiles.ledger import Ledger
from recbole_llmdistill.profiles.prompts import Prompt
from recbole_llmdistill.profiles.strategies import STRATEGIES
from recbole_llmdistill.profiles.window import Window

_BATCHES_A_CALL = 4
"""A call works on so many batches' users, so that they can be sorted by length."""


class ProfileActor:
    """Holds a model; Ray Data calls it with users.

    Args:
        histories: of all users, or a reference to them in Ray's object store.
        options: the LLM.
        prompts: one a view.
        strategy: name of the strategy.
        max_tokens: longest answer, by the name of the prompt.
    """

    def __init__(
        self, histories: Any, options: LLMOptions, prompts: list[Prompt], strategy: str, max_tokens: dict[str, int]
    ) -> None:
        import ray

        self._histories: Histories = ray.get(histories) if isinstance(histories, ray.ObjectRef) else histories
        self._loop = asyncio.new_event_loop()
        backend = choose_backend(options, self._histories, None)
        self._loop.run_until_complete(backend.start())
        window = Window(backend.count_tokens, backend.context_length, max_tokens)
        self._writer = ProfileWriter(self._histories, prompts, STRATEGIES[strategy], backend, window)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Records of the users ``batch["data"]``, as JSON."""
        records = self._loop.run_until_complete(self._write(batch["data"].tolist()))
        return {"record": np.array([json.dumps(record) for record in records], dtype=object)}

    async def _write(self, indices: list[int]) -> list[dict[str, Any]]:
        return await asyncio.gather(*(self._record(index) for index in indices))

    async def _record(self, index: int) -> dict[str, Any]:
        progress = Progress()
        try:
            record = await self._writer.write(index, None, progress)
        except RequestFailed as failure:
            record = failure_record(str(self._histories.users[index]), failure)
        return {
            "record": record,
            "counts": [progress.requests, progress.prompt_tokens, progress.completion_tokens],
        }


def generate_with_ray(
    histories: Histories,
    indices: np.ndarray,
    options: LLMOptions,
    prompts: list[Prompt],
    strategy: str,
    max_tokens: dict[str, int],
    ledger: Ledger,
    progress: Progress,
    report: Callable[[Progress], None],
) -> None:
    """Write the profiles of users on the cluster that ``RAY_ADDRESS`` names, or on this machine.

    Records are written here as they arrive; a killed run loses what the actors were working on, and goes on from there.

    Raises:
        InputError: Ray Data cannot be used.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(f"--ray: Ray Data cannot be imported ({error}); run `llmdistill doctor`") from error

    ray.init(ignore_reinit_error=True, logging_level=logging.ERROR, log_to_driver=False)
    ray.data.DataContext.get_current().execution_options.verbose_progress = False
    gpus = int(ray.cluster_resources().get("GPU", 0))
    users_a_call = options.batch_size * _BATCHES_A_CALL
    blocks = [indices[start : start + users_a_call] for start in range(0, len(indices), users_a_call)]
    records = ray.data.from_numpy(blocks).map_batches(
        ProfileActor,
        batch_size=users_a_call,
        compute=ray.data.ActorPoolStrategy(size=min(max(1, gpus), len(blocks))),
        num_gpus=1 if gpus else 0,
        fn_constructor_args=(ray.put(histories), options, prompts, strategy, max_tokens),
    )
    for row in records.iter_rows():
        result = json.loads(row["record"])
        requests, prompt_tokens, completion_tokens = result["counts"]
        progress.requests += requests
        progress.prompt_tokens += prompt_tokens
        progress.completion_tokens += completion_tokens
        keep = add_failure if "reason" in result["record"] else add_profile
        keep(ledger, progress, result["record"])
        report(progress)
