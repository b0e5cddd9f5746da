"""RecBole without Ray: it is imported when a search needs it, and need not be installed for anything else.

Answered lines: ``from ray import tune`` (quick_start.py 20), which costs a second or more of every start, for one call,
``tune.report(**test_result)`` in ``objective_function`` (223), which today's Ray refuses: it takes one dictionary.
"""

import importlib
import sys
import types
from typing import Any

_MODULE = "recbole.quick_start.quick_start"
# What RecBole's module imports beside Ray, so that hardly anything is imported while the stand-in is there.
_NEEDED_BY_IT = ("logging", "torch.distributed", "recbole.config", "recbole.data", "recbole.data.transform")


class LazyTune:
    """``ray.tune`` as RecBole's module sees it; Ray is imported with the first name that is looked up."""

    @staticmethod
    def report(**metrics: float) -> None:
        """Report to the trial that runs in this process; without one, as in RecBole's ``HyperTuning``, do nothing."""
        if "ray.tune" in sys.modules:
            importlib.import_module("ray.tune").report(metrics)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("ray.tune"), name)


def install() -> None:
    """Give RecBole's module a lazy ``tune``, whether or not it was imported before."""
    if _MODULE not in sys.modules:
        _import_without_ray()
    module: Any = importlib.import_module(_MODULE)
    if not isinstance(module.tune, LazyTune):
        module.tune = LazyTune()


def _import_without_ray() -> None:
    """Import RecBole's module with a stand-in for Ray in ``sys.modules``, which is gone when this returns."""
    for name in _NEEDED_BY_IT:
        importlib.import_module(name)
    tune, ray = types.ModuleType("ray.tune"), types.ModuleType("ray")
    vars(ray)["tune"] = tune
    stand_ins = {module.__name__: module for module in (ray, tune) if module.__name__ not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module(_MODULE)
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
