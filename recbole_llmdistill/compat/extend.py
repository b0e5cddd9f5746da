"""How RecBole's methods and functions are extended: where they are looked up, so the order of imports is no matter."""

import functools
from collections.abc import Callable
from types import ModuleType


def extend(owner: type | ModuleType, method: str, extension: Callable) -> None:
    """Let ``extension(self, original, *args, **kwargs)`` stand for ``owner.method``; a second call changes nothing.

    A module's function has its first argument in the place of ``self``.
    """
    original = getattr(owner, method)
    if _stands_in(extension, original):
        return

    @functools.wraps(original, updated=())
    def extended(self, *args, **kwargs):
        return extension(self, original, *args, **kwargs)

    extended.__extension__ = extension
    setattr(owner, method, extended)


def replace(owner: type, replacement: Callable) -> None:
    """Let ``replacement`` stand for the method of ``owner`` that has its name; a second call changes nothing."""
    original = getattr(owner, replacement.__name__)
    if not _stands_in(replacement, original):
        replacement.__wrapped__ = original
        replacement.__extension__ = replacement
        setattr(owner, replacement.__name__, replacement)


def _stands_in(extension: Callable, method: Callable | None) -> bool:
    """Whether ``method`` is extended by ``extension`` already, under whatever came later."""
    while method is not None:
        if getattr(method, "__extension__", None) is extension:
            return True
        method = getattr(method, "__wrapped__", None)
    return False
