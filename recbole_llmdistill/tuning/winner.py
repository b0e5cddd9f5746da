"""Train the winner of a search to its end, and test it: the one time that test data are looked at."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.ray_cluster import RayCluster
from recbole_llmdistill.tuning.share import Share
from recbole_llmdistill.tuning.shared_data import SharedData
from recbole_llmdistill.tuning.trial import TrialFailed, TrialSetup, one_line, prepare


@dataclass(frozen=True)
class Winner:
    """What retraining gave.

    Attributes:
        name: of the checkpoint, as RecBole names it.
        checkpoint: its content.
        valid_score: validation metric of its best epoch.
        valid_result: all validation metrics of it.
        test_result: all test metrics of it.
    """

    name: str
    checkpoint: bytes
    valid_score: float
    valid_result: dict[str, float]
    test_result: dict[str, float]


def retrain(values: dict[str, Any], setup: TrialSetup, data: Any, share: Share, cluster: RayCluster) -> Winner:
    """Train with ``values`` on the cluster, with what a trial gets, from the seed that the trial had.

    Args:
        values: of the winning trial.
        setup: of the search.
        data: reference to the :class:`SharedData` in Ray's object store.
        share: what a trial gets.
        cluster: that it is trained on.

    Raises:
        InputError: it failed; why, in one line.
    """
    import ray

    cluster.waiting = "the winner has been trained"
    cluster.heard()
    task = ray.remote(_retrain).options(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)
    try:
        return ray.get(task.remote(values, setup, data))
    except ray.exceptions.RayTaskError as error:
        raise InputError(f"the winner cannot be trained again: {error.cause}") from error
    except ray.exceptions.RayError as error:
        raise InputError(f"the winner cannot be trained again: {cluster.failure(error)}") from error


def _retrain(values: dict[str, Any], setup: TrialSetup, data: SharedData) -> Winner:
    try:
        config = setup.config(values)
        trainer, train_data, valid_data, test_data = prepare(config, data, setup.threads)
        with scratch_folder("llmdistill-trial-", Path(tempfile.gettempdir())) as scratch:
            name = Path(trainer.saved_model_file).name
            trainer.saved_model_file = str(Path(scratch, name))
            score, valid_result = trainer.fit(train_data, valid_data, verbose=False, saved=True)
            test_result = trainer.evaluate(test_data, load_best_model=True)
            checkpoint = Path(trainer.saved_model_file).read_bytes()
    except Exception as error:  # of any model of RecBole's zoo
        raise TrialFailed(one_line(error)) from error
    return Winner(
        name,
        checkpoint,
        float(score),
        {key: float(value) for key, value in valid_result.items()},
        {key: float(value) for key, value in test_result.items()},
    )
