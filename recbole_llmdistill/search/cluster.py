"""The Ray cluster that the trials run on, and what a trial gets of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from recbole_llmdistill.errors import InputError

# Ray's own files, output and signal handling are not ours: the journal is the record, one line a trial the output.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths begin where the search was started
    # Ray's default is 15: beside any other work on the machine its workers get next to nothing (20 times slower seen).
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True)
class Share:
    """What one trial gets.

    Attributes:
        cpus: of them.
        gpus: of them, or a fraction of one.
        at_once: trials that the cluster has room for.
    """

    cpus: float
    gpus: float
    at_once: int


@contextmanager
def ray_cluster(address: str | None, visible_gpus: str | None) -> Iterator[None]:
    """Start Ray on this machine or connect to a cluster, and leave it at the end.

    Args:
        address: of a cluster, ``auto`` for the one that this machine belongs to; ``None``: this machine alone.
        visible_gpus: ``CUDA_VISIBLE_DEVICES`` as the user set it; RecBole overwrites it with its ``gpu_id``.

    Raises:
        InputError: there is no cluster, or Ray does not start; says what to do.
    """
    import ray

    if address and address.startswith("ray://"):
        raise InputError(
            f"--address={address}: a search writes its files where it runs; run this command on a node of the cluster, "
            "with --address=auto"
        )
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible_gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_gpus
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # Ray raises its own, gRPC's, the operating system's and plain ones here
            raise InputError(_explain(address, error)) from error
    try:
        yield
    finally:
        if started:
            ray.shutdown()


def share_of(cpus: float, gpus: float | None, concurrency: int | None) -> Share:
    """What a trial gets of the cluster that is connected.

    Args:
        cpus: asked for.
        gpus: asked for; ``None``: one if the cluster has any.
        concurrency: most trials at once; ``None``: as many as there is room for.

    Raises:
        InputError: the cluster does not have that much; a search would wait for ever.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    all_gpus = sum(node.get("GPU", 0) for node in nodes)
    gpus = min(all_gpus, 1) if gpus is None else gpus
    room = sum(
        int(min(node.get("CPU", 0) / cpus, node.get("GPU", 0) / gpus if gpus else float("inf"))) for node in nodes
    )
    if not room:
        most = max((node.get("CPU", 0) for node in nodes), default=0)
        raise InputError(
            f"no machine of the cluster has room for a trial with --cpus-per-trial={cpus:g} and "
            f"--gpus-per-trial={gpus:g}: the largest has {most:g} CPUs, and all together have {all_gpus:g} GPUs"
        )
    return Share(cpus, gpus, min(room, concurrency or room))


def _explain(address: str | None, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if address:
        return f"--address={address}: no Ray cluster there ({reason}); start one by `ray start --head`, or leave it out"
    return (
        f"Ray does not start on this machine ({reason}); end what an earlier run left by `ray stop`, see that "
        f"{os.environ.get('RAY_TMPDIR', '/tmp')} is writable and short (RAY_TMPDIR sets another), or run `llmdistill "
        "doctor`"
    )
