"""NumPy's former names that RecBole uses, given to a NumPy that lacks them.

Answered lines: ``Config.compatibility_settings`` (configurator.py 625-635) takes ``np.float_``, ``np.complex_`` and
``np.unicode_``, which NumPy 2 has no more, to give NumPy back ``np.float`` and its kind, which NumPy 1.24 removed and
``data/interaction.py`` 31, ``evaluator/metrics.py`` 90 and others use. Names that this NumPy has are left as they are.
"""

import numpy as np
from recbole.config import Config

from recbole_llmdistill.compat.extend import replace

_NAMES = {
    "bool": np.bool_,
    "int": np.int_,
    "float": np.float64,
    "complex": np.complex128,
    "object": np.object_,
    "str": np.str_,
    "long": np.int_,
    "unicode": np.str_,
}


def compatibility_settings(_config: Config) -> None:
    for name, kind in _NAMES.items():
        if name not in vars(np):  # hasattr would ask NumPy, which warns or raises for a former name
            setattr(np, name, kind)


def install() -> None:
    """Let every config give the names that are missing."""
    replace(Config, compatibility_settings)
