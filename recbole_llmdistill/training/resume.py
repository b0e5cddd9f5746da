"""What an exact continuation of an interrupted run needs besides weights: random states, and the same settings."""

import random
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data.dataloader import TrainDataLoader
from torch import distributed

from recbole_llmdistill.compat.loaded_config import DROPPED
from recbole_llmdistill.compat.token_tables import TokenTables, check_numbering
from recbole_llmdistill.config.identity import NOTHING
from recbole_llmdistill.config.settings import fields
from recbole_llmdistill.errors import InputError

_NEEDED = {
    *("epoch", "state_dict", "head", "optimizer", "cur_step", "stale_at_switch", "best_valid_score"),
    *("best_valid_result", "train_loss_dict", "first_target_spread", "random_states", "interactions"),
}
# What a loaded config does not keep may differ, too. A GPU draws other random numbers than a CPU, so a run stays on one
# of them, and in as many processes.
_FREE_KEYS = (NOTHING | DROPPED.keys()) - {"use_gpu"}


def random_states(train_data: TrainDataLoader) -> list[dict[str, Any]]:
    """States of all generators that training draws from, as plain values and tensors, one entry per process.

    To be called by every process of a parallel run.
    """
    here = _random_states_here(train_data)
    if not distributed.is_initialized():
        return [here]
    states: list[dict[str, Any]] = [{}] * distributed.get_world_size()
    distributed.all_gather_object(states, here)
    return states


def _random_states_here(train_data: TrainDataLoader) -> dict[str, Any]:
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, np.asarray(keys).tolist(), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loader": train_data.generator.get_state(),
    }


def restore_random_states(states_of_processes: list[dict[str, Any]], train_data: TrainDataLoader) -> None:
    """Set all generators of this process to what :func:`random_states` gave."""
    states = states_of_processes[distributed.get_rank() if distributed.is_initialized() else 0]
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    train_data.generator.set_state(states["loader"].cpu())


def check_same_run(state: dict[str, Any], config: Config, file: str) -> None:
    """Refuse to continue ``state`` under other settings, since the result would be neither run's.

    Raises:
        InputError: the file is no resume state, or settings differ; names them.
    """
    if not isinstance(state.get("config"), Config) or "random_states" not in state:
        raise InputError(f"distill_resume: {file} is no .resume file (a finished run's weights: distill_warm_start)")
    if missing := _NEEDED - state.keys():
        raise InputError(f"distill_resume: {file} is of another version of this package: it lacks {min(missing)}")
    if not isinstance(state["epoch"], int):
        raise InputError(f"distill_resume: {file} is damaged: its epoch is no number")
    defaults = {key: field.default for key, field in fields().items()}  # of settings that came later
    then, now = defaults | state["config"].final_config_dict, config.final_config_dict
    differing = [
        f"{key}={then.get(key)!r} then, {now.get(key)!r} now"
        for key in sorted(then.keys() | now.keys())
        if key not in _FREE_KEYS and then.get(key) != now.get(key)
    ]
    if differing:
        raise InputError(f"distill_resume: {file} is of a run with other settings: {'; '.join(differing)}")


def check_same_data(state: dict[str, Any], interactions: str, own: TokenTables, file: str) -> None:
    """Refuse to continue ``state`` on other interactions, or on the same ones numbered otherwise.

    Args:
        state: of the interrupted run.
        interactions: digest of the data set at hand.
        own: its tokens.
        file: name of the ``.resume`` file.

    Raises:
        InputError: users, items or their interactions differ.
    """
    check_numbering(state, own, f"distill_resume: {file}")
    if state["interactions"] != interactions:
        raise InputError(
            f"distill_resume: {file} is of a run on other interactions of these users and items; restore the files it "
            "was trained on, or train again"
        )
