"""Write vectors where training finds them: ``<dataset>.useremb.npz`` (of items ``.itememb.npz``), and RecBole's text
beside it if asked for.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.vectors import (
    check_tokens,
    read_profile_file,
    write_binary_in_chunks,
    write_text,
)


def write_vectors(
    folder: Path,
    dataset: str,
    tokens: Sequence[str] | np.ndarray,
    shape: tuple[int, int, int],
    chunks: Iterable[np.ndarray],
    has_profile: np.ndarray,
    text: bool,
    of: Entity = USERS,
) -> list[Path]:
    """Write the files of one set of vectors; the binary is the newer one, so that training reads it.

    Args:
        folder: where to.
        dataset: name of the data set.
        tokens: ``[U]`` strings.
        shape: ``(U, K, D)``.
        chunks: consecutive rows ``[?, K, D]``, zero where a user lacks a profile.
        has_profile: ``[U, K]`` bool.
        text: write the text file too.
        of: users or items.

    Returns:
        The files.

    Raises:
        InputError: they cannot be written, or a name cannot stand in a text file; then nothing is.
    """
    if text:
        check_tokens(tokens, of)
    binary, text_file = folder / (dataset + of.binary_suffix), folder / (dataset + of.suffix)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if shape[1] == 1:
            write_binary_in_chunks(binary, tokens, shape[::2], (chunk[:, 0] for chunk in chunks), has_profile, of)
        else:
            write_binary_in_chunks(binary, tokens, shape, chunks, has_profile, of)
        if not text:
            text_file.unlink(missing_ok=True)  # of an earlier run; it would contradict the binary
            return [binary]
        table = read_profile_file(binary, of)
        write_text(text_file, tokens, table.vectors, None if has_profile.all() else has_profile, of)
        os.utime(binary)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return [binary, text_file]
