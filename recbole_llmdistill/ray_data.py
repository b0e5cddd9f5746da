"""Rows through a pool of actors of a Ray cluster, by Ray Data."""

import logging
from collections.abc import Iterator
from typing import Any

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.ray_cluster import RayCluster

_MOST_BLOCKS = 10_000


def map_by_actors(
    cluster: RayCluster, actor: type, arguments: list[Any], rows: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Let actors answer rows, and yield what they answer as it comes: a model each, on a GPU each where there is any.

    Ray Data starts an actor again whose process was killed, and gives it its rows again; what kills it again and again
    is told, and in the end given up, by the cluster's watch.

    Args:
        cluster: that is connected.
        actor: class whose objects take columns and give back columns, ``failure`` among them: empty, or why there is
            no answer, in one line.
        arguments: of its constructor.
        rows: of columns.

    Raises:
        InputError: a row's ``failure``, or Ray cannot go on.
    """
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False
    machines = cluster.resources()
    gpus = int(sum(machine.get("GPU", 0) for machine in machines))
    results = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS)).map_batches(
        actor,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(len(rows), gpus or len(machines))),
        fn_constructor_args=arguments,
        num_gpus=1 if gpus else None,
    )
    try:
        for row in results.iter_rows():
            cluster.heard()
            if row["failure"]:
                raise InputError(row["failure"])
            yield row
    except InputError:
        raise
    except Exception as error:  # Ray's own, and those of the model's libraries inside of Ray's
        raise cluster.failure(error) from error
