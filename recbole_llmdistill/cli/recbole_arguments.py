"""RecBole settings on the command line of our commands.

RecBole's ``Config`` reads ``sys.argv`` itself and warns of whatever is not ``--key=value`` there; so what our own
parser has understood is taken out of it.
"""

import sys

import recbole_llmdistill
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.recbole_config import build_config

__all__ = ["build_config", "leave_to_recbole"]


def leave_to_recbole(settings: list[str], **given: str | None) -> None:
    """Reduce ``sys.argv`` to ``--key=value`` settings, those of ``given`` that are set among them.

    Raises:
        InputError: a setting is not of that form, or RecBole cannot be imported.
    """
    for setting in settings:
        if not setting.startswith("--") or setting.count("=") != 1:
            raise InputError(f"argument {setting!r} is not understood; settings are written --key=value")
    if recbole_llmdistill.import_error is not None:
        raise InputError(f"{recbole_llmdistill.import_error}; `llmdistill doctor` checks the installation")
    sys.argv[1:] = [f"--{name}={value}" for name, value in given.items() if value is not None] + settings
