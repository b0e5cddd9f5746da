"""Runs side by side, each in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole_llmdistill.comparison.results import Run
from recbole_llmdistill.comparison.run import worker

_WAIT = 0.1  # seconds between two looks at the processes
_GRACE = 5.0  # seconds that a process has to end when asked


@dataclass(frozen=True)
class Job:
    """A run, and what its process is told.

    Attributes:
        run: the run.
        instructions: content of its ``job.json``.
    """

    run: Run
    instructions: dict[str, Any]


@dataclass
class _Running:
    job: Job
    folder: Path
    log: Path
    process: subprocess.Popen


def run_jobs(
    jobs: Sequence[Job],
    side_by_side: int,
    scratch: Callable[[Run], Path],
    log_file: Callable[[Run], Path],
    wanted: Callable[[Run], bool],
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Run jobs in this order, and give each with its result as soon as it is there.

    When the caller stops listening, by Ctrl-C for one, the processes are ended.

    Args:
        jobs: what to run.
        side_by_side: processes at a time; the cores are shared among them.
        scratch: gives an empty folder for a run.
        log_file: gives the file for a run's log.
        wanted: asked right before a run starts; if it says no the run is left out.
    """
    waiting, running = deque(jobs), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                job = waiting.popleft()
                if wanted(job.run):
                    running.append(_start(job, side_by_side, scratch(job.run), log_file(job.run)))
            finished = [one for one in running if one.process.poll() is not None]
            for one in finished:
                running.remove(one)
                yield one.job, _result(one)
            if running and not finished:
                time.sleep(_WAIT)
    finally:
        _end(running)


def _start(job: Job, side_by_side: int, folder: Path, log: Path) -> _Running:
    instructions = {**job.instructions, "parent": os.getpid()}
    (folder / worker.JOB).write_text(json.dumps(instructions), encoding="utf-8")
    threads = str(max(1, (os.cpu_count() or 1) // side_by_side))
    environment = {"OMP_NUM_THREADS": threads, **os.environ, "PYTHONUNBUFFERED": "1"}
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", worker.__name__, str(folder)],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    return _Running(job, folder, log, process)


def _result(one: _Running) -> dict[str, Any]:
    status = one.process.returncode
    if status == 0 and (one.folder / worker.RESULT).is_file():
        return json.loads((one.folder / worker.RESULT).read_text(encoding="utf-8"))
    if status == -9:
        return {"status": "failed", "reason": "killed (SIGKILL), perhaps because memory ran out"}
    return {"status": "failed", "reason": f"its process ended with status {status}; see {one.log}"}


def _end(running: Sequence[_Running]) -> None:
    for one in running:
        one.process.terminate()
    for one in running:
        try:
            one.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
