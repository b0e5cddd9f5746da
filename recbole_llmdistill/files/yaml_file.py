"""Yaml files that users give: plain data of a sensible size, or one line that says where they are not.

Yaml can name Python objects, nest deeper than Python's stack, hold a list within itself, and by aliases of aliases
write billions of values in a few lines; none of it has a use in settings.
"""

from pathlib import Path
from typing import Any

import yaml

from recbole_llmdistill.errors import InputError

MOST_BYTES = 4 * 2**20
MOST_DEPTH = 30
MOST_VALUES = 100_000  # aliases counted as often as they are used

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = {
    _MERGE,
    *(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "timestamp")),
}
# What yaml's constructors raise of a value that is not of its tag, e.g. !!int x, 2020-13-01, or << of a number.
_UNFIT_VALUE = (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)


def read_yaml(path: Path, loader: type = yaml.SafeLoader) -> tuple[yaml.Node | None, Any]:
    """Node and value of a yaml file, ``(None, None)`` if it is empty.

    Args:
        path: the file.
        loader: yaml's loader class; it says which texts are numbers.

    Raises:
        InputError: it cannot be read, is no yaml, has a tag, a key twice, too many values, or an endless or deep
            nesting; names file and line.
    """
    text = _read(path)
    reader = None
    try:
        reader = loader(text)
        node = reader.get_single_node()
        if node is None:
            return None, None
        _Check(path).visit(node)
        return node, reader.construct_document(node)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path}: nested more than {MOST_DEPTH} deep") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError(
            f"{where}: {' '.join([*str(error.problem).split(), *(error.context or '').split()])}"
        ) from error
    except _UNFIT_VALUE as error:  # characters that yaml does not know, among others
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    finally:
        if reader is not None:
            reader.dispose()


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the name
        raise InputError(f"{str(path)!r}: {error}") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES // 2**20} MiB, so it is no such file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error


class _Check:
    """Walks a tree of nodes.

    Args:
        path: the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open: list[yaml.Node] = []
        self.values = 0

    def visit(self, node: yaml.Node) -> None:
        """Refuse what is no plain data, below ``node`` too."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise self.error(node, f"more than {MOST_VALUES:,} values, aliases counted")
        if any(node is above for above in self.open):
            raise self.error(node, "this value holds itself")
        if len(self.open) >= MOST_DEPTH:
            raise self.error(node, f"nested more than {MOST_DEPTH} deep")
        if node.tag not in _PLAIN_TAGS:
            raise self.error(node, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not allowed")
        self.open.append(node)
        if isinstance(node, yaml.MappingNode):
            self._visit_keys(node)
            for _, value in node.value:
                self.visit(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self.visit(value)
        self.open.pop()

    def _visit_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "a key must be one word or number")
            self.visit(key)
            if key.tag != _MERGE and (key.tag, key.value) in seen:
                raise self.error(key, f"the key {key.value!r} stands there twice")
            seen.add((key.tag, key.value))

    def error(self, node: yaml.Node, problem: str) -> InputError:
        """To be raised."""
        return InputError(f"{self.path}, line {node.start_mark.line + 1}: {problem}")
