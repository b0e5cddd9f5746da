"""Settings as a yaml file that RecBole reads by ``--config_files``: what a trial runs with, and what the winner leaves.

One form for both, so that the winner's file gives RecBole the very settings that its trial had.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from recbole.config import Config

from recbole_llmdistill.compat.plain_values import to_plain


def settings_yaml(settings: Mapping[str, Any]) -> str:
    """Yaml of ``settings``, with tuples as lists."""
    return yaml.safe_dump(_lists(to_plain(dict(settings))), sort_keys=False, allow_unicode=True)


def config_of(settings: Mapping[str, Any]) -> Config:
    """RecBole's config of ``settings``, ``model`` and ``dataset`` among them, as from a file and nothing else.

    The command line of the process must hold no settings, since RecBole puts these above the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.yaml")
        file.write_text(settings_yaml(settings), encoding="utf-8")
        return Config(config_file_list=[str(file)])


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value
