"""Profile vectors on disk: what ``profiles/`` writes and training reads.

A folder holds ``<dataset>.useremb`` (module ``text``: RecBole's own format), its twin ``<dataset>.useremb.npz`` (module
``binary``), or both, and ``manifest.json``, which says how the vectors came about and which training interactions their
profiles were written from.
"""

from pathlib import Path

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors.binary import BINARY_SUFFIX, read_binary, write_binary, write_binary_in_chunks
from recbole_llmdistill.formats.vectors.content import Content, examine
from recbole_llmdistill.formats.vectors.table import ProfileTable
from recbole_llmdistill.formats.vectors.text import TEXT_SUFFIX, check_tokens, read_text, write_text

MANIFEST = "manifest.json"

__all__ = [
    "BINARY_SUFFIX",
    "MANIFEST",
    "TEXT_SUFFIX",
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


def read_profile_file(path: Path) -> ProfileTable:
    """Read a text or binary profile file.

    Raises:
        InputError: the file is missing, empty, ragged, holds NaN or infinite values or a user twice.
    """
    try:
        if path.name.endswith(BINARY_SUFFIX) or path.suffix == ".npz":
            return read_binary(path)
        return read_text(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); see vectors_path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error


def newest_twin(folder: Path, dataset: str) -> Path | None:
    """The profile file of ``dataset`` in ``folder``; of text and binary twin the newer, so that edits count."""
    twins = [folder / (dataset + suffix) for suffix in (BINARY_SUFFIX, TEXT_SUFFIX)]
    return max((path for path in twins if path.is_file()), key=lambda path: path.stat().st_mtime, default=None)
