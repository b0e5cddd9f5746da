"""Which code and versions made a result."""

import importlib.metadata
import platform
import shutil
import subprocess
from typing import Any

import recbole_llmdistill
from recbole_llmdistill.files.resources import checkout

_PACKAGES = ("recbole", "torch", "numpy", "scipy")


def provenance() -> dict[str, Any]:
    """Versions, and commit of the checkout that this package runs from, ``None`` where it is installed."""
    return {
        "recbole-llmdistill": recbole_llmdistill.__version__,
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "git": git_state(),
    }


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout, and whether tracked files differ from it."""
    folder, git = checkout(), shutil.which("git")
    if folder is None or git is None or not (folder / ".git").exists():
        return None

    def ask(*arguments: str) -> str:
        command = [git, "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "changed": bool(ask("status", "--porcelain", "--untracked-files=no")),
        }
    except subprocess.CalledProcessError:  # e.g. a checkout of another user, which git refuses
        return None
