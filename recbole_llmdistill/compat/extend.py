"""How RecBole's methods and functions are extended: where they are looked up, so the order of imports is no matter."""

import functools
import inspect
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any


def extend(owner: type | ModuleType, method: str, extension: Callable) -> None:
    """Let ``extension(self, original, *args, **kwargs)`` stand for ``owner.method``; a second call changes nothing.

    A module's function has its first argument in the place of ``self``.
    """
    original = getattr(owner, method)
    if _stands_in(extension, original):
        return

    @functools.wraps(original, updated=())
    def extended(self: Any, *args: Any, **kwargs: Any) -> Any:
        return extension(self, original, *args, **kwargs)

    extended.__extension__ = extension  # type: ignore[attr-defined]  # functions take any attribute
    setattr(owner, method, extended)


def replace(owner: type, replacement: Callable) -> None:
    """Let ``replacement`` stand for the method of ``owner`` that has its name; a second call changes nothing."""
    original = getattr(owner, replacement.__name__)
    if not _stands_in(replacement, original):
        vars(replacement).update(__wrapped__=original, __extension__=replacement)
        setattr(owner, replacement.__name__, replacement)


def _stands_in(extension: Callable, method: Callable | None) -> bool:
    """Whether ``method`` is extended by ``extension`` already, under whatever came later."""
    while method is not None:
        if getattr(method, "__extension__", None) is extension:
            return True
        method = getattr(method, "__wrapped__", None)
    return False


def exchange_code(function: Callable, replacement: Callable) -> types.FunctionType:
    """Let ``replacement``'s code run in ``function``, for a function that users import by name, often before us.

    The code looks its names up in ``function``'s module, so ``replacement`` imports what it needs. A second call
    changes nothing.

    Returns:
        A function with the original code.

    Raises:
        ImportError: ``function`` is not what the replacement was written for: another signature, default values, or
            variables of a surrounding function.
    """
    original = getattr(function, "__original__", None)
    if original is not None:
        return original
    name = f"{function.__module__}.{function.__qualname__}"
    expected, found = inspect.signature(replacement), inspect.signature(function)
    if [*map(str, expected.parameters)] != [*map(str, found.parameters)] or function.__defaults__:
        raise ImportError(f"{name}{found} of this RecBole is not the {name}{expected} that is known here")
    if function.__code__.co_freevars or replacement.__code__.co_freevars or hasattr(function, "__wrapped__"):
        raise ImportError(f"{name} of this RecBole is wrapped, and cannot be exchanged")
    original = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    function.__code__ = replacement.__code__
    vars(function)["__original__"] = original
    return original
