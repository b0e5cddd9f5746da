"""A Ray cluster for as long as it is needed, and how many models it holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from recbole_llmdistill.compat import ray_data
from recbole_llmdistill.errors import InputError

ray_data.install()  # in the driver and, since the actors' modules import this one, in every worker


@dataclass(frozen=True)
class RayCluster:
    """What a cluster has.

    Attributes:
        gpus: on all nodes.
        actors: models that it holds: one a GPU, or one a node where there is no GPU.
    """

    gpus: int
    actors: int


@contextmanager
def ray_cluster(address: str) -> Iterator[RayCluster]:
    """Connect to a cluster, and leave it at the end.

    Args:
        address: ``auto`` for the running cluster, ``local`` for one on this machine, or ``ray://HOST:PORT``.

    Raises:
        InputError: no cluster at that address.
    """
    import ray

    # Ray's default is 15: beside any other work on the machine its workers get next to nothing.
    os.environ.setdefault("RAY_worker_niceness", "0")
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"--ray={address}: no cluster there ({error}); start one by `ray start --head`") from error
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        yield RayCluster(gpus, gpus or sum(node["Alive"] for node in ray.nodes()))
    finally:
        if started:
            ray.shutdown()
