"""RecBole's config for a function that is called from Python."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recbole_llmdistill.config.command_line import arguments_replaced
from recbole_llmdistill.config.recbole_config import build_config

if TYPE_CHECKING:
    from recbole.config import Config


def config_of(
    model: str,
    dataset: str | None,
    config_files: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    command_line: Sequence[str] = (),
) -> "Config":
    """RecBole's config of these settings, each counting for more than the one before; not of ``sys.argv``.

    Args:
        model: name of the model.
        dataset: name of the data set; None: a file or the settings name it.
        config_files: yaml files.
        settings: RecBole's and ours.
        command_line: settings of a command, written ``--key=value``.

    Raises:
        InputError: as :func:`~recbole_llmdistill.config.recbole_config.build_config`.
    """
    with arguments_replaced(command_line):
        return build_config(model, dataset, [str(file) for file in config_files] or None, dict(settings or {}) or None)


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
