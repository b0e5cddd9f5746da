"""LLM user profiles distilled into sequential recommenders, for RecBole.

``import recbole_llmdistill`` makes SASRecDistill, GRU4RecDistill and their like known to RecBole; all else is its own:

    >>> import recbole_llmdistill
    >>> from recbole.quick_start import run_recbole
    >>> result = run_recbole(model="SASRecDistill", dataset="ml-100k")
"""

import os
import sys
import warnings
from importlib import import_module
from typing import Any

from recbole_llmdistill.files.resources import checkout

__version__ = "0.1.0"

# The front doors, each imported when it is first asked for.
_NAMES = ("generate", "encode", "reduce", "inspect", "compare", "tune", "recommend", "export", "serve")
_DOORS = {name: f"api.{name}" for name in _NAMES}
_DOORS["distill"] = "own_models"
_DOORS["Recommender"] = "recommendation.recommender"
__all__ = ["__version__", *_DOORS]


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_DOORS[name]}"), name)


# In a checkout the data set converters are a sibling folder; this lets them be imported under one name everywhere.
if checkout_folder := checkout():
    __path__.append(str(checkout_folder))

import_error: Exception | None = None
"""Why no model is registered, if RecBole is missing or stands beside versions that it does not run with."""


def register() -> None:
    """Let RecBole know the models, and fix what it lacks here; a second call changes nothing."""
    global import_error
    try:
        from recbole_llmdistill import compat

        compat.install()
        from recbole_llmdistill import registry
    except (ImportError, AttributeError) as error:
        # Not raised, so that `llmdistill doctor` can start and say what is wrong.
        import_error = error
        warnings.warn(f"no model is registered: {error}; `llmdistill doctor` checks the installation", stacklevel=2)
    else:
        registry.register()
        if os.environ.get("RECBOLE_LLMDISTILL_MODELS"):
            from recbole_llmdistill import own_models

            own_models.load_models()


# Whoever imports this package wants its models. A command registers them when it needs RecBole, which takes seconds.
if not getattr(sys.modules.get("llmdistill_commands"), "starting", False):
    register()
