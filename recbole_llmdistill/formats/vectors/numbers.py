"""From the numbers that a file holds to float32, with no loss that nobody hears of."""

from collections.abc import Callable

import numpy as np

from recbole_llmdistill.errors import InputError

LARGEST_WHOLE = 2**24
"""Beyond this, float32 no longer tells a whole number from the next."""
_KINDS = {"c": "complex numbers", "b": "true and false", "O": "Python objects", "U": "texts", "S": "texts"}
_KINDS |= {"M": "dates", "m": "spans of time"}


def to_float32(values: np.ndarray, place: Callable[[int], str]) -> np.ndarray:
    """Real numbers as float32; NaN and infinite ones pass, and are reported with their user later.

    Args:
        values: ``[rows, ...]``.
        place: how a message calls a row, by its number from 0.

    Raises:
        InputError: no real numbers, numbers beyond float32, or whole numbers that it cannot tell apart, such as ids.
    """
    kind = values.dtype.kind
    if kind not in "fiu":
        raise InputError(f"{place(0)}: {describe_type(values.dtype)} are no vector; write real numbers (float32)")
    if values.dtype == np.float32 or values.size == 0:
        return values.astype(np.float32, copy=False)
    if kind != "f":
        lost = (values > LARGEST_WHOLE) | ((values < -LARGEST_WHOLE) if kind == "i" else False)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if kind == "f":
        lost = np.isinf(narrow) & np.isfinite(values)
    if lost.any():
        row, *_ = position = np.unravel_index(int(np.argmax(lost)), lost.shape)
        reason = "is beyond float32" if kind == "f" else "is a whole number beyond those of float32, as an id would be"
        raise InputError(f"{place(int(row))}: {values[position].item()!r} {reason}; vectors are float32")
    return narrow


def describe_type(dtype: np.dtype) -> str:
    """A NumPy type in words, for messages."""
    return _KINDS.get(dtype.kind, f"values of type {dtype}")
