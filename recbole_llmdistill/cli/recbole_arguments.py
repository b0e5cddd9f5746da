"""RecBole settings on the command line of our commands.

RecBole's ``Config`` reads ``sys.argv`` itself and warns of whatever is not ``--key=value`` there; so what our own
parser has understood is taken out of it.
"""

import sys
from pathlib import Path

import recbole_llmdistill
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.settings_file import check_settings_file

# What RecBole's Config raises where it refuses a setting.
_REFUSALS = (ValueError, KeyError, TypeError, AttributeError, SyntaxError, NotImplementedError, RuntimeError)


def leave_to_recbole(settings: list[str], **given: str | None) -> None:
    """Reduce ``sys.argv`` to ``--key=value`` settings, those of ``given`` that are set among them.

    Raises:
        InputError: a setting is not of that form, or RecBole cannot be imported.
    """
    for setting in settings:
        if not setting.startswith("--") or setting.count("=") != 1:
            raise InputError(f"argument {setting!r} is not understood; settings are written --key=value")
    if recbole_llmdistill.import_error is not None:
        raise InputError(f"RecBole cannot be imported: {recbole_llmdistill.import_error}; run `llmdistill doctor`")
    sys.argv[1:] = [f"--{name}={value}" for name, value in given.items() if value is not None] + settings


def build_config(model: str | None, dataset: str | None, config_files: list[str] | None = None):
    """RecBole's config of these settings and ``sys.argv``; whatever it refuses becomes one line.

    Raises:
        InputError: a file cannot be read, or RecBole or this package refuses a value.
    """
    from recbole.config import Config

    from recbole_llmdistill.model_names import explain_unknown_model

    if model and (problem := explain_unknown_model(model)):
        raise InputError(problem)
    for file in config_files or []:
        check_settings_file(Path(file))
    try:
        return Config(model, dataset, config_file_list=config_files)
    except InputError:
        raise
    except _REFUSALS as error:
        text = " ".join(str(error.args[0] if error.args else error).split())
        raise InputError(text or repr(error)) from error
