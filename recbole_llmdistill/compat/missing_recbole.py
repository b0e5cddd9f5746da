"""Says how RecBole is installed, where Python would only say that there is no such module.

RecBole is not among this package's requirements, because its metadata pins Ray 2.6.3, colorlog 4.7.2 and colorama
0.4.4, none of which it needs; so ``pip install recbole-llmdistill`` does not bring it.
"""

import sys
from importlib.abc import MetaPathFinder
from typing import Any

REQUIREMENT = "recbole==1.2.1"
COMMAND = f"pip install --no-deps {REQUIREMENT}"


class _Last(MetaPathFinder):
    """Asked after all others, so only where RecBole is not to be found."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname == "recbole":
            raise ModuleNotFoundError(f"RecBole is not installed: {COMMAND}", name=fullname)


def install() -> None:
    """Add the finder; a second call changes nothing."""
    if not any(isinstance(finder, _Last) for finder in sys.meta_path):
        sys.meta_path.append(_Last())
