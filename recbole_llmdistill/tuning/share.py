"""What a trial gets of the cluster."""

from dataclasses import dataclass

from recbole_llmdistill.errors import InputError


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


def share_of(machines: list[dict[str, float]], cpus: float, gpus: float | None, concurrency: int | None) -> Share:
    """What a trial gets of a cluster.

    Args:
        machines: ``CPU`` and ``GPU`` of each.
        cpus: asked for.
        gpus: asked for; ``None``: one if the cluster has any.
        concurrency: most trials at once; ``None``: as many as there is room for.

    Raises:
        InputError: the cluster does not have that much; a search would wait for ever.
    """
    all_gpus = sum(machine.get("GPU", 0) for machine in machines)
    gpus = min(all_gpus, 1) if gpus is None else gpus
    room = sum(
        int(min(machine.get("CPU", 0) / cpus, machine.get("GPU", 0) / gpus if gpus else float("inf")))
        for machine in machines
    )
    if not room:
        most = max((machine.get("CPU", 0) for machine in machines), default=0)
        raise InputError(
            f"no machine of the cluster has room for a trial with --cpus-per-trial={cpus:g} and "
            f"--gpus-per-trial={gpus:g}: the largest has {most:g} CPUs, and all together have {all_gpus:g} GPUs"
        )
    return Share(cpus, gpus, min(room, concurrency or room))
