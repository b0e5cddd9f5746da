"""Fingerprint of a set of training interactions: the proof that profiles saw nothing else.

Profile generation writes it into the manifest, training compares it with its own split. It depends on the
user and item *tokens* alone, so it survives another order of rows, another id mapping, another machine.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it modulo 2**64 loses nothing


def fingerprint_interactions(user_tokens: Iterable[str], item_tokens: Iterable[str]) -> str:
    """Digest of the multiset of (user, item) pairs.

    Args:
        user_tokens: the user of each training interaction, as written in the ``.inter`` file.
        item_tokens: the item of each, same length.

    Returns:
        ``"sha256:<64 hex digits>"``.
    """
    return fingerprint_codes(_codes_of_all(user_tokens), _codes_of_all(item_tokens))


def fingerprint_codes(users: np.ndarray, items: np.ndarray) -> str:
    """The same digest where the pairs are given by :func:`token_codes` of their user and item, both uint64."""
    pairs = users * _MIX
    pairs ^= items
    pairs.sort()
    return "sha256:" + hashlib.sha256(pairs.astype("<u8", copy=False).data).hexdigest()


def token_codes(tokens: Iterable[str]) -> np.ndarray:
    """64 bits of each token's own SHA-256, one hash a token."""
    codes = [int.from_bytes(hashlib.sha256(str(token).encode()).digest()[:8], "little") for token in tokens]
    return np.array(codes, dtype=np.uint64)


def _codes_of_all(tokens: Iterable[str]) -> np.ndarray:
    distinct, inverse = np.unique(np.asarray(list(tokens), dtype=str), return_inverse=True)
    return token_codes(distinct)[inverse]
