"""RecBole settings on the command line of our commands.

RecBole's ``Config`` reads ``sys.argv`` itself and warns of whatever is not ``--key=value`` there; so what our own
parser has understood is taken out of it.
"""

import argparse
import sys

import recbole_llmdistill
from recbole_llmdistill.cli.misspelt_options import refuse_misspelt_options
from recbole_llmdistill.config.recbole_config import build_config, check_recbole
from recbole_llmdistill.errors import InputError

__all__ = ["build_config", "check_settings", "leave_to_recbole"]


def check_settings(settings: list[str], parser: argparse.ArgumentParser) -> None:
    """Register the models, and check that settings are written ``--key=value``.

    Raises:
        InputError: one is not of that form, stands there twice, or is a misspelt option of ``parser``; or RecBole
            cannot be imported.
    """
    recbole_llmdistill.register()
    check_recbole()
    refuse_misspelt_options(parser, settings)
    values: dict[str, str] = {}
    for setting in settings:
        key, _, value = setting.removeprefix("--").partition("=")
        if not setting.startswith("--") or not key or setting.count("=") != 1:
            raise InputError(f"argument {setting!r} is not understood; settings are written --key=value")
        if values.setdefault(key, value) != value:
            raise InputError(f"--{key} is given twice, as {values[key]} and as {value}")


def leave_to_recbole(settings: list[str], parser: argparse.ArgumentParser, **given: str | None) -> None:
    """Reduce ``sys.argv`` to ``--key=value`` settings, those of ``given`` that are set among them.

    Raises:
        InputError: as :func:`check_settings`.
    """
    check_settings(settings, parser)
    if given.get("model"):
        from recbole_llmdistill.own_models import resolve

        given["model"] = resolve(str(given["model"]))
    sys.argv[1:] = [f"--{name}={value}" for name, value in given.items() if value is not None] + settings
