"""RecBole's config for a function that is called from Python."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import recbole_llmdistill
from recbole_llmdistill.errors import InputError


def config_of(
    model: str,
    dataset: str | None,
    config_files: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    command_line: Sequence[str] = (),
):
    """RecBole's config of these settings, each counting for more than the one before; not of ``sys.argv``.

    Args:
        model: name of the model.
        dataset: name of the data set; None: a file or the settings name it.
        config_files: yaml files.
        settings: RecBole's and ours.
        command_line: settings of a command, written ``--key=value``.

    Raises:
        InputError: as :func:`~recbole_llmdistill.config.recbole_config.build_config`, or RecBole cannot be imported.
    """
    if recbole_llmdistill.import_error is not None:
        raise InputError(f"{recbole_llmdistill.import_error}; `llmdistill doctor` checks the installation")
    from recbole_llmdistill.config.recbole_config import build_config

    arguments = sys.argv
    sys.argv = [*arguments[:1], *command_line]  # RecBole reads the command line of any process
    try:
        return build_config(model, dataset, [str(file) for file in config_files] or None, dict(settings or {}) or None)
    finally:
        sys.argv = arguments


@contextmanager
def log_level(level: int) -> Iterator[None]:
    """Let RecBole log nothing below ``level`` for a while."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
