"""Yaml files with RecBole settings, checked before RecBole reads them, whose errors do not name the file."""

from pathlib import Path

import yaml

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.yaml_file import read_yaml


def check_settings_file(path: Path) -> None:
    """Refuse a file that holds no settings.

    Raises:
        InputError: it cannot be read, is no yaml of plain data, or no mapping of keys to values; names file and line.
    """
    node, settings = read_yaml(path)
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}: expected settings, one 'key: value' a line")
    if others := [key for key in settings if not isinstance(key, str)]:
        raise InputError(f"{path}: {others[0]!r} is no name of a setting")
