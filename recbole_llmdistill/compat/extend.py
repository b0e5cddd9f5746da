"""How RecBole's methods and functions are extended: where they are looked up, so the order of imports is no matter."""

import functools
from collections.abc import Callable
from types import ModuleType


def extend(owner: type | ModuleType, method: str, extension: Callable) -> None:
    """Let ``extension(self, original, *args, **kwargs)`` stand for ``owner.method``; a second call changes nothing.

    A module's function has its first argument in the place of ``self``.
    """
    original = getattr(owner, method)
    inner = original
    while inner is not None:
        if getattr(inner, "__extension__", None) is extension:
            return
        inner = getattr(inner, "__wrapped__", None)

    @functools.wraps(original, updated=())
    def extended(self, *args, **kwargs):
        return extension(self, original, *args, **kwargs)

    extended.__extension__ = extension
    setattr(owner, method, extended)
