"""Measurements in processes of their own, and what a table says about the machine."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


def run_child(program: str, *options: object, python: str = sys.executable, threads: int | None = None) -> dict:
    """Run a program of ``peers/``, which prints its result as a last line of JSON.

    Args:
        program: file name in ``peers/``.
        options: command line.
        python: interpreter of the environment that the program needs.
        threads: of PyTorch; default: as many as there are cores.

    Raises:
        SystemExit: the program failed; with the end of what it said.
    """
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    command = [python, str(PEERS / program), *map(str, options)]
    child = subprocess.run(command, capture_output=True, text=True, env=environment)
    if child.returncode:
        raise SystemExit(f"{program} {' '.join(map(str, options))} failed:\n{child.stderr[-3000:]}")
    return json.loads(child.stdout.splitlines()[-1])


def machine() -> str:
    """Cores and processor, for the line above a table."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"
