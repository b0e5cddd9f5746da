"""The Ray cluster of a command: found or started, watched while it is needed, and left at the end.

Ray's own answer to a cluster that is gone is to wait, and then to end this process from its C++ part, where no
exception can be caught. So a thread asks the cluster's processes for life, and ends the command with one line that
says why and how it goes on. It also speaks when the command has waited for a minute, and tells what Ray says.
"""

import contextlib
import importlib
import os
import queue
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.scratch_folder import scratch_folder
from recbole_llmdistill.processes.children import end_children

SILENCE_SECONDS = 60
"""After so long without a sign of progress, and again after each such time, a line says what Ray says."""
_ANSWER_SECONDS = 20  # in which Ray must answer a question about its nodes
_UNANSWERED = 2  # such questions in a row after which it is given up
_PROBE_SECONDS = 2
_LOST_PROBES = 2  # probes in a row that fail before the cluster counts as lost
_VISIBLE_GPUS = os.environ.get("CUDA_VISIBLE_DEVICES")  # RecBole's config overwrites it with its gpu_id, later
_MOST_LOSSES = 3  # reports of lost processes without progress in between, after which the command is given up
_CLIENT_PORT = 10001  # of ray://HOST, as Ray documents it
_BAD_INPUT = 2
_MEMORY = "Ray ended its process because memory ran short"

# Ray's own files, output and signal handling are not ours: our journals are the record, our lines the output.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths begin where the command was started
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody asked to report to Ray's makers
    # Ray's default is 15: beside any other work on the machine its workers get next to nothing (20 times slower seen).
    "RAY_worker_niceness": "0",
}


class RayCluster:
    """A cluster that is connected; made by :func:`ray_cluster`.

    Args:
        waiting: see :attr:`waiting`.
        go_on: what to do after an interruption, in a few words.
    """

    def __init__(self, waiting: str, go_on: str) -> None:
        self._scratch = contextlib.ExitStack()
        self.scratch = self._scratch.enter_context(scratch_folder("llmdistill-ray-", Path(tempfile.gettempdir())))
        """Folder for files that nobody needs afterwards."""
        self.waiting = waiting
        """What the command waits for, as in ``no trial has reported``; ``for 60 s`` is added."""
        self._go_on = go_on
        self._endpoints: list[tuple[str, tuple[str, int]]] = []
        self._connected = False
        self._left = threading.Event()
        self._heard = time.monotonic()
        self._losses: list[str] = []
        self._thread = threading.Thread(target=self._watch, name="ray-watch", daemon=True)

    def heard(self) -> None:
        """There is progress; a minute of silence begins again."""
        self._heard = time.monotonic()
        self._losses.clear()

    def reported(self, message: dict[str, Any], *_args: Any, **_options: Any) -> None:
        """Ray has a message for its user, many lines on each process that it loses; kept is which kind of loss.

        Stands in for ``print_to_stdstream`` of Ray's worker, for which Ray has no switch.
        """
        if reason := reason_of_loss(" ".join(map(str, message.get("lines", [])))):
            self._losses.append(reason)

    def resources(self) -> list[dict[str, float]]:
        """``CPU``, ``GPU`` and so on of each machine that is alive."""
        import ray

        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def failure(self, error: BaseException) -> InputError:
        """One line of an exception that came through Ray, with what to do."""
        cause: BaseException | None = error
        while cause is not None:
            raised_there = getattr(cause, "cause", None)  # what a RayTaskError wraps, and poses as
            if isinstance(cause, InputError) and raised_there is None:
                return cause
            cause = raised_there or cause.__cause__ or cause.__context__
        text = f"{type(error).__name__}: {error}"
        return InputError(f"{reason_of_loss(text) or ' '.join(text.split())[:300]}; {self._go_on}")

    def connected(self, address: str) -> None:
        """Ray has answered; from now on its processes are asked for life."""
        self._endpoints = _endpoints(address)
        self._connected = True
        self.heard()

    def close(self) -> None:
        """Stop watching."""
        self._left.set()
        self._scratch.close()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def _watch(self) -> None:
        spoken, unanswered, failed = self._heard, 0, 0
        while not self._left.wait(_PROBE_SECONDS):
            lost = [name for name, endpoint in self._endpoints if not _alive(endpoint)]
            failed = failed + 1 if lost else 0
            if failed == _LOST_PROBES:
                self._give_up(f"Ray's {lost[0]} has ended, and the cluster with it")
            if len(losses := self._losses[:]) >= _MOST_LOSSES:
                self._give_up(f"{self.waiting}, and {len(losses)} times a process was lost: {losses[-1]}")
            since = max(self._heard, spoken)
            if time.monotonic() - since < SILENCE_SECONDS:
                continue
            spoken = time.monotonic()
            silence = f"for {spoken - self._heard:.0f} s"
            if not self._connected:
                _say(f"Ray has been starting {silence}")
                continue
            says = _answered(_state, _ANSWER_SECONDS)
            unanswered = unanswered + 1 if says is None else 0
            if unanswered == _UNANSWERED:
                self._give_up(f"Ray has not answered {silence}")
            says = f"Ray says: {', '.join([says, *self._losses[-1:]])}" if says else "Ray does not answer"
            _say(f"{self.waiting} {silence}; {says}")

    def _give_up(self, reason: str) -> None:
        """End the process: the main thread waits in Ray's C++ part, where no exception reaches it."""
        if self._left.is_set():
            return
        _say(f"error: {reason}; {self._go_on}")
        self._scratch.close()
        end_children()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_BAD_INPUT)


@contextmanager
def ray_cluster(address: str, flag: str, extra: str, waiting: str, go_on: str) -> Iterator[RayCluster]:
    """Start Ray on this machine or connect to a cluster, watch it, and leave it at the end.

    Args:
        address: ``local`` for this machine alone, ``auto`` for the cluster that it belongs to, ``HOST:PORT``, or
            ``ray://HOST:PORT``.
        flag: of the command that gives the address.
        extra: of this package that brings what is needed of Ray.
        waiting: what the command waits for, as in ``no trial has reported``.
        go_on: what to do after an interruption, in a few words.

    Raises:
        InputError: Ray is not installed or does not start, or there is no cluster; says what to do.
    """
    check_ray(flag, extra)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    started = not ray.is_initialized()
    if started:
        _check_address(address, flag)
    cluster = RayCluster(waiting, go_on)
    cluster.start()
    try:
        if started:
            _start(address, flag)
        cluster.connected(address)
        with mock.patch("ray._private.worker.print_to_stdstream", cluster.reported):
            yield cluster
    finally:
        cluster.close()
        if started:
            ray.shutdown()


def check_ray(what: str, extra: str) -> None:
    """Refuse what needs Ray where it is not installed, in one line.

    Args:
        what: the command or its flag.
        extra: of this package that brings it: ``tune`` or ``cluster``.
    """
    try:
        importlib.import_module("ray")
        importlib.import_module({"tune": "ray.tune", "cluster": "ray.data"}[extra])
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else " ".join(str(error).split())[:120]
        raise InputError(f"{what} needs Ray ({missing}): pip install 'recbole-llmdistill[{extra}]'") from error


def reason_of_loss(text: str) -> str | None:
    """Why a process ended, from what Ray writes of it; None if it ended by an error of its own."""
    for words, reason in (
        (("running low on memory", "memory pressure", "OutOfMemoryError"), _MEMORY),
        (("ObjectStoreFullError", "OutOfDiskError"), "Ray's object store or its disk is full"),
        (("node has crashed", "node died", "NodeDiedError", "node was terminated"), "its machine is gone"),
        (("process has died", "died unexpectedly", "worker died", "WorkerCrashedError"), "its process was killed"),
    ):
        if any(word in text for word in words):
            return reason
    return None


def _start(address: str, flag: str) -> None:
    import ray

    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if _VISIBLE_GPUS is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = _VISIBLE_GPUS
    handler = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {
        "address": address,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "CRITICAL",
    }
    try:
        try:
            ray.init(**options)
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            _say("Ray has not started within its 30 s, which a busy machine may need; it is started once more")
            ray.shutdown()
            ray.init(**options)
    except Exception as error:  # Ray raises its own, gRPC's, the operating system's and plain ones here
        raise InputError(_explain(address, flag, error)) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray puts one there that exits with status 15


def _check_address(address: str, flag: str) -> None:
    """Ask whether anybody listens there: Ray itself would wait for minutes."""
    asked = f"{flag}={address}"
    if address == "auto" and os.environ.get("RAY_ADDRESS") not in (None, "", "auto", "local"):
        address = os.environ["RAY_ADDRESS"]
        asked += f" with RAY_ADDRESS={address}"
    if address in ("auto", "local"):
        return
    endpoint = _host_and_port(address)
    if endpoint is None:
        raise InputError(f"{asked}: no address; write auto, local, HOST:PORT or ray://HOST:PORT")
    if not _alive(endpoint):
        raise InputError(f"{asked}: no Ray cluster there; start one by `ray start --head`, or leave it out")


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host and address.startswith("ray://"):
        host, port = port, str(_CLIENT_PORT)
    return (host.strip("[]"), int(port)) if host and port.isdecimal() and int(port) < 65536 else None


def _alive(endpoint: tuple[str, int]) -> bool:
    try:
        socket.create_connection(endpoint, timeout=5).close()
    except OSError:
        return False
    return True


def _endpoints(address: str) -> list[tuple[str, tuple[str, int]]]:
    """Name and address of the processes without which nothing goes on."""
    import ray

    if address.startswith("ray://"):
        found = [("server of this client", _host_and_port(address))]
    else:
        context = ray.get_runtime_context()
        here = next((node for node in ray.nodes() if node["NodeID"] == context.get_node_id()), None)
        found = [("head process (gcs_server)", _host_and_port(context.gcs_address))]
        if here is not None:
            found.append(("process on this machine (raylet)", (here["NodeManagerAddress"], here["NodeManagerPort"])))
    return [(name, endpoint) for name, endpoint in found if endpoint is not None]


def _state() -> str:
    """What a cluster has and what is free of it, for people."""
    import ray

    nodes = ray.nodes()
    alive = [node for node in nodes if node["Alive"]]
    all_cpus, free_cpus = (of().get("CPU", 0) for of in (ray.cluster_resources, ray.available_resources))
    text = f"{free_cpus:g} of {all_cpus:g} CPUs free"
    if len(alive) < len(nodes):
        text += f", {len(nodes) - len(alive)} of {len(nodes)} machines gone"
    return text


def _answered(question: Callable[[], str], seconds: float) -> str | None:
    """The answer of a call that may never return, or None."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        with contextlib.suppress(Exception):  # no answer is answer enough
            answers.put(question())

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return None


def _say(line: str) -> None:
    from tqdm import tqdm

    with contextlib.suppress(OSError):  # a closed standard error
        tqdm.write(line, file=sys.stderr)
        sys.stderr.flush()


def _explain(address: str, flag: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if address != "local":
        return (
            f"{flag}={address}: no Ray cluster there ({reason}); start one by `ray start --head`, or give {flag}=local"
        )
    return (
        f"Ray does not start on this machine ({reason}); end what an earlier run left by `ray stop`, see that "
        f"{os.environ.get('RAY_TMPDIR', '/tmp')} is writable and short (RAY_TMPDIR sets another) and that memory is "
        "free, or run `llmdistill doctor`"
    )
