"""How a method of RecBole's is extended: on its class, so that it does not matter who imported what first."""

import functools
from collections.abc import Callable


def extend(owner: type, method: str, extension: Callable) -> None:
    """Let ``extension(self, original, *args, **kwargs)`` stand for ``owner.method``; a second call changes nothing."""
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
