"""Write vectors where training finds them: ``<dataset>.useremb.npz``, and RecBole's text beside it if asked for."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import (
    BINARY_SUFFIX,
    TEXT_SUFFIX,
    check_tokens,
    read_profile_file,
    write_binary_in_chunks,
    write_text,
)


def write_vectors(
    folder: Path,
    dataset: str,
    user_tokens: Sequence[str] | np.ndarray,
    shape: tuple[int, int, int],
    chunks: Iterable[np.ndarray],
    has_profile: np.ndarray,
    text: bool,
) -> list[Path]:
    """Write the files of one set of vectors; the binary is the newer one, so that training reads it.

    Args:
        folder: where to.
        dataset: name of the data set.
        user_tokens: ``[U]`` strings.
        shape: ``(U, K, D)``.
        chunks: consecutive rows ``[?, K, D]``, zero where a user lacks a profile.
        has_profile: ``[U, K]`` bool.
        text: write the text file too.

    Returns:
        The files.

    Raises:
        InputError: they cannot be written, or a user's name cannot stand in a text file; then nothing is.
    """
    if text:
        check_tokens(user_tokens)
    binary, text_file = folder / (dataset + BINARY_SUFFIX), folder / (dataset + TEXT_SUFFIX)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if shape[1] == 1:
            write_binary_in_chunks(binary, user_tokens, shape[::2], (chunk[:, 0] for chunk in chunks), has_profile)
        else:
            write_binary_in_chunks(binary, user_tokens, shape, chunks, has_profile)
        if not text:
            text_file.unlink(missing_ok=True)  # of an earlier run; it would contradict the binary
            return [binary]
        table = read_profile_file(binary)
        write_text(text_file, user_tokens, table.vectors, None if has_profile.all() else has_profile)
        os.utime(binary)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return [binary, text_file]
