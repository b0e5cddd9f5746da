"""``--nproc``: what can be found wrong before processes start, and what they found wrong, in one line."""

import logging
import multiprocessing
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from recbole_llmdistill.errors import InputError

if TYPE_CHECKING:
    from recbole.config import Config


def check_processes(config: "Config", processes: int, world_size: int) -> None:
    """Refuse a number of processes that this machine or the batch size does not suit.

    Args:
        config: RecBole's config of this process, whose ``device`` says whether GPUs are used.
        processes: ``--nproc``.
        world_size: ``--world_size``, below 1 where all processes are on this machine.

    Raises:
        InputError: fewer than one process, more than GPUs or cores, or a batch that they cannot share equally.
    """
    if processes < 1:
        raise InputError(f"--nproc={processes}: the number of processes must be at least 1")
    if processes == 1 and world_size < 1:
        return
    if 0 < world_size < processes:
        raise InputError(f"--world_size={world_size} counts the processes on all machines, and --nproc={processes}")
    if config["device"].type == "cpu":
        cores = os.cpu_count() or 1
        if processes > cores:
            raise InputError(
                f"--nproc={processes}: there is no CUDA GPU and only {cores} CPU cores; set at most {cores}"
            )
    else:
        named = config["gpu_id"].split(",")
        if processes > len(named):
            raise InputError(
                f"--nproc={processes} needs as many GPUs, and gpu_id={config['gpu_id']} names {len(named)}; set "
                f"--gpu_id={','.join(map(str, range(processes)))}, or --gpu_id= to train on CPU cores"
            )
    total = max(processes, world_size)
    if config["train_batch_size"] % total:
        batch = max(total, config["train_batch_size"] // total * total)
        raise InputError(
            f"train_batch_size={config['train_batch_size']} is shared by {total} processes, which it does not divide "
            f"into; set --train_batch_size={batch}"
        )


def free_port() -> str:
    """A TCP port of this machine that nobody listens on, so that two runs at once do not meet."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


@contextmanager
def ends_as_its_processes() -> Iterator[None]:
    """Raise again, as such, an :class:`InputError` that a spawned process died of; it arrives as text.

    An interruption ends the processes too, which Python would wait for otherwise.
    """
    from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # it warns of every process that it ends
    try:
        yield
    except ProcessRaisedException as error:
        name = f"{InputError.__module__}.{InputError.__qualname__}"
        if found := re.search(rf"^{re.escape(name)}: (.*)", str(error), re.MULTILINE):
            raise InputError(found[1]) from None
        if found := re.search(r"^\w*Error: \[Errno (\d+)\] (.*?)(?:: '(.*)')?$", str(error), re.MULTILINE):
            raise OSError(int(found[1]), found[2], found[3]) from None
        raise
    except ProcessExitedException as error:
        how = f"killed ({error.signal_name}), perhaps because memory ran out" if error.signal_name else "lost"
        raise InputError(
            f"process {error.error_index} of --nproc was {how}; the log says how to continue the run"
        ) from None
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.kill()  # Ray's handler of SIGTERM would wait for a process that waits for another
        raise
