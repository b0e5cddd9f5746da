"""Where the files that users read or change (``properties/``) lie.

In an installed wheel they are inside the package; in a checkout (and with ``pip install -e``) they are
siblings of it, because the repository keeps them at its top level.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def checkout() -> Path | None:
    """Top folder of the repository, if this package runs from a checkout."""
    return None if (_PACKAGE / "properties").is_dir() else _PACKAGE.parent


def properties(*parts: str) -> Path:
    """Path of something below ``properties/``, whether it exists or not."""
    return (checkout() or _PACKAGE).joinpath("properties", *parts)
