"""Starts the commands; imported before the package, it puts off RecBole and PyTorch until a command needs them.

``import recbole_llmdistill`` registers the models, for which RecBole and PyTorch are imported: seconds that ``--help``,
``convert`` or ``describe`` have no use for.
"""

import os
import sys
from importlib import import_module

starting = False
"""Whether this process is a command, rather than one that has imported a command's script, as spawned ones do."""


def llmdistill() -> int:
    """The command ``llmdistill``."""
    return _run("llmdistill")


def run_recbole() -> int:
    """The command ``run_recbole``."""
    return _run("run_recbole")


def run_hyper() -> int:
    """The command ``run_hyper``."""
    return _run("run_hyper")


def _run(command: str) -> int:
    global starting
    starting = True
    try:
        main = import_module(f"recbole_llmdistill.cli.{command}").main
    except KeyboardInterrupt:  # a command's own answer to Ctrl-C is not there yet
        print("interrupted", file=sys.stderr, flush=True)
        os._exit(130)
    return main()
