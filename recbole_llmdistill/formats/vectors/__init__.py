"""Vectors on disk: what ``vectors/`` writes and training reads.

A folder holds ``<dataset>.useremb`` (module ``text``: RecBole's own format), its twin ``<dataset>.useremb.npz`` (module
``binary``), or both, and ``manifest.json``, which says how the vectors came about and which training interactions their
profiles were written from. Vectors of items have other names, all in :mod:`recbole_llmdistill.formats.entity`.
"""

from pathlib import Path

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES, USERS, Entity
from recbole_llmdistill.formats.vectors.binary import read_binary, write_binary, write_binary_in_chunks
from recbole_llmdistill.formats.vectors.content import Content, examine
from recbole_llmdistill.formats.vectors.table import ProfileTable
from recbole_llmdistill.formats.vectors.text import check_tokens, read_text, write_text

__all__ = [
    "Content",
    "ProfileTable",
    "check_tokens",
    "examine",
    "newest_twin",
    "read_profile_file",
    "write_binary",
    "write_binary_in_chunks",
    "write_text",
]


def read_profile_file(path: Path, of: Entity = USERS) -> ProfileTable:
    """Read a text or binary file of vectors.

    Args:
        path: the file.
        of: users or items.

    Raises:
        InputError: the file is of the others, missing, empty, ragged, holds NaN or infinite values or a user twice.
    """
    named = next((other for other in ENTITIES.values() if path.name.endswith((other.suffix, other.binary_suffix))), of)
    if named is not of:
        raise InputError(f"{path}: vectors of {named.name}, not of {of.name}")
    try:
        return read_binary(path, of) if path.suffix == ".npz" else read_text(path, of)
    except OSError as error:
        see = "; see vectors_path" if of is USERS else ""
        raise InputError(f"{path}: cannot be read ({error.strerror or error}){see}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error


def newest_twin(folder: Path, dataset: str, of: Entity = USERS) -> Path | None:
    """The file of vectors of ``dataset`` in ``folder``; of text and binary twin the newer, so that edits count."""
    twins = [folder / (dataset + suffix) for suffix in (of.binary_suffix, of.suffix)]
    return max((path for path in twins if path.is_file()), key=lambda path: path.stat().st_mtime, default=None)
