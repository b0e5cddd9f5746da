"""Parallel training (``--nproc``) on CPUs, and what RecBole's own lacks on GPUs too.

Answered lines: ``Config._init_device`` starts NCCL and takes CUDA devices (configurator.py 497-511), where CPUs need
gloo; ``AbstractTrainer.__init__`` and its kind hand ``device_ids`` to ``DistributedDataParallel`` (trainer.py 62),
which CPUs have none of. Every process names the checkpoint after its own clock (trainer.py 132), though process 0 alone
writes it (trainer.py 296) and the others go on without waiting for it. ``ensure_dir`` asks whether a folder exists and
then makes it (utils.py 51), which fails where another process makes it in between.

``run_recboles`` (quick_start.py 75) returns into the end of the interpreter, where PyTorch's gloo is not safe. Its
threads let go of the last operation's tensors after whoever waited for it goes on, and need Python's lock for that:
when the group is destroyed meanwhile, its destructor waits for them with the lock in hand, for ever; when the
interpreter is, they abort the process (https://github.com/pytorch/pytorch/pull/179291). So a group is kept until the
process ends, and the process ends without the interpreter's clearing up (:func:`end_process`).
"""

import atexit
import functools
import inspect
import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from recbole.config import Config
from recbole.quick_start import quick_start
from recbole.trainer import Trainer, trainer
from recbole.utils import utils
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from recbole_llmdistill.compat.extend import exchange_code, extend
from recbole_llmdistill.processes.children import end_with

# What DistributedDataParallel calls the broadcast of buffers before each step; torch 2.13 renamed it.
_SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel).parameters
)


_gloo_groups: list[distributed.ProcessGroup] = []


def data_parallel(
    module: torch.nn.Module, device_ids: list[int] | None = None, sync_buffers: bool = True
) -> DistributedDataParallel:
    """``DistributedDataParallel``, without ``device_ids`` where the module lies on a CPU.

    Args:
        module: the model.
        device_ids: its GPU, as RecBole gives it.
        sync_buffers: send process 0's buffers to all others before each step.
    """
    on_cpu = next(module.parameters()).device.type == "cpu"
    options: dict[str, Any] = {} if sync_buffers else {_SYNC_BUFFERS: False}
    return DistributedDataParallel(module, device_ids=None if on_cpu else device_ids, **options)


def _init_device(config: Config, original: Callable) -> None:
    settings = config.final_config_dict
    if "local_rank" not in settings or (str(settings["gpu_id"]) and torch.cuda.is_available()):
        original(config)
        return
    settings["gpu_id"] = ",".join(map(str, range(settings["nproc"])))  # RecBole counts them; there are none
    start_gloo = functools.partial(_start_gloo, distributed.init_process_group)
    with (
        mock.patch.object(distributed, "init_process_group", start_gloo),
        mock.patch.object(torch.cuda, "set_device"),
    ):
        original(config)
    settings["device"] = torch.device("cpu")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if "OMP_NUM_THREADS" not in os.environ:  # processes that share cores wait for each other's threads
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings["nproc"]))


def _start_gloo(init_process_group: Callable, backend: str, **options: Any) -> None:
    init_process_group(backend="gloo", **options)
    if distributed.group.WORLD is not None:
        _gloo_groups.append(distributed.group.WORLD)


def end_process(status: int = 0) -> None:
    """End a process that used gloo: as at its end, but that memory is left to the system."""
    atexit._run_exitfuncs()  # multiprocessing ends its forked processes in the same way
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run_recboles(rank: int, original: Callable, *args: Any) -> None:
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        end_with(parent.pid)
    try:
        original(rank, *args)
    except KeyboardInterrupt:  # of the terminal, or PyTorch's sign that the parent is gone
        os._exit(130)
    if _gloo_groups:
        end_process()


def _init_trainer(self: Trainer, original: Callable, config: Config, model: torch.nn.Module) -> None:
    original(self, config, model)
    if not config["single_spec"]:
        name = [self.saved_model_file]
        distributed.broadcast_object_list(name, src=0)
        self.saved_model_file = name[0]


def _save_checkpoint(self: Trainer, original: Callable, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    if not self.config["single_spec"]:
        distributed.barrier()  # whoever reads the file next will find it whole


def _ensure_dir(dir_path: str) -> None:
    """Runs in the place of RecBole's function, so its names are looked up in RecBole's module."""
    os.makedirs(dir_path, exist_ok=True)


def install() -> None:
    """Extend RecBole's config, trainers and the function that a process runs.

    The code of ``ensure_dir`` is exchanged rather than its name, which other modules have imported.
    """
    exchange_code(utils.ensure_dir, _ensure_dir)
    extend(Config, "_init_device", _init_device)
    trainer.DistributedDataParallel = data_parallel
    extend(Trainer, "__init__", _init_trainer)
    extend(Trainer, "_save_checkpoint", _save_checkpoint)
    extend(quick_start, "run_recboles", _run_recboles)
