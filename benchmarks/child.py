"""Measurements in processes of their own, and what a table says about the machine."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


def run_child(
    program: str,
    *options: object,
    python: str = sys.executable,
    threads: int | None = None,
    progress: bool = False,
) -> dict:
    """Run a program of ``peers/``, which prints its result as a last line of JSON.

    Args:
        program: file name in ``peers/``.
        options: command line.
        python: interpreter of the environment that the program needs.
        threads: of PyTorch; default: as many as there are cores.
        progress: pass on the lines in which a training program tells of its evaluations.

    Raises:
        SystemExit: the program failed; with the end of what it said.
    """
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    command = [python, str(PEERS / program), *map(str, options)]
    said = ""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,  # a second pipe could fill up while the first is read
        subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment) as child,
    ):
        for line in child.stderr:
            said = (said + line)[-3000:]
            if progress and line.startswith("epoch "):
                print(line, end="", file=sys.stderr, flush=True)
        child.wait()
        output.seek(0)
        lines = output.read().splitlines()
    if child.returncode:
        raise SystemExit(f"{program} {' '.join(map(str, options))} failed:\n{said}")
    return json.loads(lines[-1])


def machine() -> str:
    """Cores and processor, for the line above a table."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"
