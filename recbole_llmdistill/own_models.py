"""Distil into a model of one's own: ``distill(MyModel)``, in this process and in those that come of it.

RecBole finds a model by its name, in every process again: a worker of ``compare``, a Ray trial, one of ``--nproc``. So
each model of one's own is written into an environment variable, which those inherit, and importing this package
loads what stands there. It may be set by hand as well, for any command::

    RECBOLE_LLMDISTILL_MODELS=my_models:MyModel,other/file.py:OtherModel
"""

import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, overload

from recbole.model.abstract_recommender import AbstractRecommender, GeneralRecommender, SequentialRecommender

from recbole_llmdistill import registry
from recbole_llmdistill.config.model_names import distilled_name
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.zoo import student

VARIABLE = "RECBOLE_LLMDISTILL_MODELS"


@overload
def distill(model: type, *, states_from: str | None = None, causal: bool = False) -> type[DistillationModel]: ...
@overload
def distill(
    model: None = None, *, states_from: str | None = None, causal: bool = False
) -> Callable[[type], type[DistillationModel]]: ...
def distill(
    model: type | None = None, *, states_from: str | None = None, causal: bool = False
) -> type[DistillationModel] | Callable[[type], type[DistillationModel]]:
    """Make a RecBole model one that user profiles are distilled into, and let RecBole find it by name.

    As a function, ``run_recbole(model=distill(MyModel), dataset="ml-100k")``, or as a decorator of the class,
    ``@distill`` or ``@distill(states_from="gru")``. The result is called ``MyModelDistill``; outside training it
    computes what ``MyModel`` computes, and its checkpoints hold ``MyModel``'s weights.

    Args:
        model: a sequential or general recommender of RecBole. Its ``forward`` returns one vector per user, ``[B, H]``,
            or a tuple that begins with one, or has a part named by ``states_from``. A sequential one scores items by
            what ``full_sort_predict`` says; item knowledge asks for a table ``item_embedding``.
        states_from: path of the submodule whose output are states at every position, ``[B, L, H]`` (a list of those of
            each layer, a tensor, or a tuple that begins with one, as of ``torch.nn.GRU``). Then all poolings and layers
            can be chosen.
        causal: the model is what :class:`~recbole_llmdistill.model.causal_model.CausalModel` asks for, and is trained
            on whole sequences, with a loss at every position.

    Raises:
        InputError: ``model`` is no model of RecBole, or of a kind that has no user vectors.
    """
    options = {"states_from": states_from, "causal": causal}
    if model is None:
        return lambda decorated: _distill(decorated, options)
    return _distill(model, options)


def _distill(model: type, options: dict[str, Any]) -> type[DistillationModel]:
    if not inspect.isclass(model) or not issubclass(model, AbstractRecommender):
        raise InputError(f"distill({getattr(model, '__name__', model)}): it is no class of a RecBole model")
    if issubclass(model, DistillationModel):
        return model
    if not issubclass(model, (SequentialRecommender, GeneralRecommender)):
        raise InputError(
            f"distill({model.__name__}): expected a sequential or a general recommender, as others have no user vectors"
        )
    made = registry.MODELS.get(distilled_name(model.__name__))
    if made is not None and model in made.__mro__:
        return made
    distilled = student(model, **options)
    module = sys.modules[model.__module__]
    distilled.__module__ = model.__module__
    setattr(module, distilled.__name__, distilled)  # beside the model, where pickle finds it
    registry.register_model(distilled)
    _tell_other_processes(model, module, options)
    return distilled


def _tell_other_processes(model: type, module: ModuleType, options: dict[str, Any]) -> None:
    name = getattr(module, "__file__", None) if module.__name__ == "__main__" else module.__name__
    if name is None:  # a notebook's, which no other process can import
        return
    entry = [f"{os.path.abspath(name) if name.endswith('.py') else name}:{model.__name__}", options]
    entries = _entries()
    if entry not in entries:
        os.environ[VARIABLE] = json.dumps([*entries, entry])


def _entries() -> list[list[Any]]:
    text = os.environ.get(VARIABLE, "").strip()
    if not text.startswith("["):
        return [[name.strip(), {}] for name in text.split(",") if name.strip()]
    return json.loads(text)


def load_models() -> None:
    """Register what the environment names; called when this package is imported.

    Raises:
        InputError: it cannot be imported, or is no model.
    """
    for name, options in _entries():
        resolve(name, options)


def resolve(name: str, options: dict[str, Any] | None = None) -> str:
    """RecBole's name of a model, which is registered if it is one's own.

    Args:
        name: a name that RecBole knows, or ``module:Class`` or ``file.py:Class``.
        options: of :func:`distill`, where the module does not call it itself.

    Raises:
        InputError: the module cannot be imported, or has no such model.
    """
    place, colon, class_name = name.rpartition(":")
    if not colon:
        return name
    distilled = distilled_name(class_name)
    if distilled not in registry.MODELS:
        module = _import(place, name)
        model = getattr(module, class_name, None)
        # A module that is being imported at this moment will call distill() itself.
        if model is not None and distilled not in registry.MODELS:
            _distill(model, options or {})
        elif model is None and not getattr(module.__spec__, "_initializing", False):
            raise InputError(f"model {name!r}: {place} has no class {class_name}")
    return distilled


def _import(place: str, name: str) -> ModuleType:
    loading, registry.loading = registry.loading, name
    try:
        if not place.endswith(".py"):
            if os.getcwd() not in sys.path:
                sys.path.append(os.getcwd())  # as `python -m` has it
            return importlib.import_module(place)
        file = Path(place).resolve()
        same = [module for module in list(sys.modules.values()) if getattr(module, "__file__", None) == str(file)]
        if same:
            return same[0]
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None or not file.is_file():
            raise InputError(f"model {name!r}: there is no file {file}")
        module = sys.modules.setdefault(file.stem, importlib.util.module_from_spec(spec))
        spec.loader.exec_module(module)
        return module
    except ImportError as error:
        raise InputError(f"model {name!r}: {place} cannot be imported ({error})") from error
    finally:
        registry.loading = loading
