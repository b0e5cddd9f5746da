"""Yaml files with RecBole settings, checked before RecBole reads them, whose errors do not name the file."""

from pathlib import Path

import yaml

from recbole_llmdistill.errors import InputError


def check_settings_file(path: Path) -> None:
    """Refuse a file that holds no settings.

    Raises:
        InputError: it cannot be read, is no yaml, or no mapping of keys to values; names file and line.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            node = yaml.compose(stream)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1
        raise InputError(f"{path}, line {line}: {error.problem} {error.context or ''}".rstrip()) from error
    except yaml.YAMLError as error:  # characters that yaml does not know
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}: expected settings, one 'key: value' a line")
