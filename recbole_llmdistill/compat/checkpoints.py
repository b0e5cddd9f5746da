"""Checkpoints that ``torch.load(weights_only=True)`` reads, for every RecBole trainer, and that name their rows.

Answered lines: ``Trainer._save_checkpoint`` pickles ``Config`` objects with protocol 4 (trainer.py 295-308);
``Trainer.evaluate`` and ``resume_checkpoint`` (583, 323) and ``load_data_and_model`` (quick_start.py 250) read them
with ``torch.load``, which since torch 2.6 refuses such files. Here the config is stored as plain values and turned
into a ``Config`` again on reading; both kinds are read without running anything that a file may name
(:mod:`recbole_llmdistill.compat.checkpoint_values`). None of these lines knows which item a row is of: see
:mod:`recbole_llmdistill.compat.token_tables`. Only the name ``torch`` inside RecBole's trainer module is exchanged, so
``torch.load`` and ``torch.save`` stay what they are for everybody else.
"""

import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import torch
from recbole.config import Config
from recbole.model import abstract_recommender
from recbole.model.sequential_recommender import s3rec
from recbole.quick_start import quick_start
from recbole.trainer import trainer

from recbole_llmdistill.compat import item_counts
from recbole_llmdistill.compat.checkpoint_values import read_values
from recbole_llmdistill.compat.extend import exchange_code, extend
from recbole_llmdistill.compat.loaded_config import check_data_set_is_there, make_harmless
from recbole_llmdistill.compat.plain_values import CONFIG, from_plain, restore_config, to_plain
from recbole_llmdistill.compat.token_tables import KEY, TokenTables, check_numbering, fields_with_weights
from recbole_llmdistill.config.model_names import explain_unknown_model
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically

# The model that RecBole's code is saving, evaluating, or building.
_at_work: ContextVar[torch.nn.Module | None] = ContextVar("model at work", default=None)


def write_checkpoint(state: Any, file: str | os.PathLike, **_options: Any) -> None:
    """Write ``state`` atomically, with plain values in the place of configs, enums and NumPy objects.

    Stands in for ``torch.save`` in RecBole's trainers, whose ``pickle_protocol`` it ignores.
    """
    with written_atomically(Path(file)) as temporary, open(temporary, "wb", buffering=0) as written:
        output = _Output(written)
        try:
            torch.save(to_plain(state), output)  # type: ignore[arg-type]  # of a file it needs no more than this
        except RuntimeError as error:
            if output.failure is not None:
                raise output.failure from None
            if isinstance(error.__context__, KeyboardInterrupt):  # between two writes
                raise error.__context__ from None
            raise


class _Output:
    """A file for ``torch.save``, which tells of a full disk, and of Ctrl-C, as ``unexpected pos 640 vs 598``.

    Args:
        file: open for writing.

    Attributes:
        failure: why something was not written, if so.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write all of ``data``."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException as error:  # an interruption is one
            self.failure = self.failure or error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def read_checkpoint(file: str | os.PathLike, map_location: Any = None, **_options: Any) -> dict[str, Any]:
    """Read a checkpoint of this package, or one that RecBole wrote; nothing that it names is imported or called.

    What its config says of other files is dropped: see :mod:`recbole_llmdistill.compat.loaded_config`.

    Raises:
        InputError: the file is missing or no checkpoint.
    """
    if not Path(file).is_file():
        raise InputError(f"checkpoint {os.fspath(file)} does not exist")
    try:
        state = read_values(file, map_location)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        state = {key: value if key == "config" else from_plain(value) for key, value in state.items()}
        if isinstance(state.get("config"), dict) and CONFIG in state["config"]:
            state["config"] = restore_config(state["config"])
            make_harmless(state["config"], Path(file))
    except InputError:
        raise
    except Exception as error:  # whatever the bytes of a file make of the readers, it is no checkpoint
        raise InputError(f"{os.fspath(file)} is not a readable checkpoint ({first_line(error)})") from error
    if isinstance(state.get("state_dict"), str):  # of a tree model, RecBole keeps the name of its library's file
        state["state_dict"] = str(Path(file).parent / Path(state["state_dict"]).name)
    return state


def first_line(error: Exception) -> str:
    """An error's text in one line."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def weights_of(state: Mapping[str, Any], file: str | os.PathLike) -> dict[str, torch.Tensor]:
    """Weights that a checkpoint holds.

    Raises:
        InputError: it holds none.
    """
    weights = state.get("state_dict")
    if not isinstance(weights, Mapping) or not all(isinstance(weight, torch.Tensor) for weight in weights.values()):
        raise InputError(f"{os.fspath(file)} holds no weights of a model")
    return dict(weights)


def check_weights(weights: Mapping[str, torch.Tensor], file: str) -> None:
    """Refuse weights of a training that has failed.

    Raises:
        InputError: one holds NaN; names it.
    """
    for name, weight in weights.items():
        if weight.is_floating_point() and weight.isnan().any():
            raise InputError(f"{file}: the weight {name} holds NaN; train again")


class _TorchWithPlainCheckpoints(types.ModuleType):
    """``torch`` as RecBole's modules see it: everything is torch's, but for checkpoints."""

    @staticmethod
    def save(state: Any, file: str | os.PathLike, **_options: Any) -> None:
        model = _at_work.get()
        tables: TokenTables | None = getattr(model, "token_tables", None)
        if isinstance(state, dict) and "state_dict" in state and model is not None and tables:
            state = {**state, KEY: tables.to_plain(fields_with_weights(model))}
            counts: torch.Tensor | None = getattr(model, "item_counts", None)
            if counts is not None:
                state[item_counts.KEY] = item_counts.to_plain(counts)
        write_checkpoint(state, file)

    @staticmethod
    def load(file: str | os.PathLike, map_location: Any = None, **_options: Any) -> dict[str, Any]:
        state, model = read_checkpoint(file, map_location), _at_work.get()
        if tables := getattr(model, "token_tables", None):
            check_numbering(state, tables, os.fspath(file))
        return state

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


@contextmanager
def _working_on(model: torch.nn.Module) -> Iterator[None]:
    token = _at_work.set(model)
    try:
        yield
    finally:
        _at_work.reset(token)


def _by_trainer(self: Any, original: Callable, *args: Any, **kwargs: Any) -> Any:
    with _working_on(self.model):
        return original(self, *args, **kwargs)


def _by_model(self: torch.nn.Module, original: Callable, *args: Any, **kwargs: Any) -> None:
    with _working_on(self):
        original(self, *args, **kwargs)


def _remember_items(
    self: torch.nn.Module, original: Callable, config: Any, dataset: Any, *args: Any, **kwargs: Any
) -> None:
    original(self, config, dataset, *args, **kwargs)
    self.token_tables = TokenTables.of(dataset)  # type: ignore[assignment]  # neither a weight nor a module
    self.item_counts = item_counts.count_items(dataset)  # type: ignore[assignment]  # likewise


def _load_other_parameter(self: torch.nn.Module, original: Callable, parameters: Mapping[str, Any] | None) -> None:
    """RecBole's method sets any attribute of the model that the file names (abstract_recommender.py 76)."""
    own = getattr(self, "other_parameter_name", ())
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InputError("the checkpoint's other_parameter is no table of names and values")
    original(self, {name: value for name, value in (parameters or {}).items() if name in own})


def _load_data_and_model(model_file: Any) -> Any:
    """Runs in the place of RecBole's function, so its names are looked up in RecBole's module."""
    from recbole_llmdistill.compat.checkpoints import load_with_plain_checkpoint

    return load_with_plain_checkpoint(model_file)


def load_with_plain_checkpoint(model_file: str | os.PathLike) -> tuple:
    """RecBole's ``load_data_and_model`` itself, on what :func:`read_checkpoint` gives.

    Raises:
        InputError: the file is no checkpoint of a model, or the data set is not the one it was trained on.
    """
    file = os.fspath(model_file)
    state = read_checkpoint(file)
    config = config_of(state, file)
    check_data_set_is_there(config, file)

    def create_dataset(config: Config) -> Any:
        dataset = quick_start.create_dataset(config)
        if tables := TokenTables.of(dataset):
            check_numbering(state, tables, file)
        return dataset

    names = {**vars(quick_start), "create_dataset": create_dataset}
    load_data_and_model = types.FunctionType(_original_load_data_and_model.__code__, names)
    with explained(file), _start_files_are(state):
        return load_data_and_model(model_file)


def config_of(state: Mapping[str, Any], file: str) -> quick_start.Config:
    """Config that a checkpoint holds, of a model that is known here.

    Raises:
        InputError: it holds none, or names an unknown model.
    """
    config = state.get("config")
    if not isinstance(config, quick_start.Config):
        raise InputError(f"{file} holds no RecBole config, so its model cannot be rebuilt")
    if config.model_class is None:
        raise InputError(f"{file}: {explain_unknown_model(config.model)}")
    return config


def rebuild_model(state: Mapping[str, Any], dataset: Any, file: str) -> torch.nn.Module:
    """The model of a checkpoint, as RecBole's ``load_data_and_model`` makes it of a training part.

    Args:
        state: what :func:`read_checkpoint` gave.
        dataset: training part of the built data set, or what stands in for it.
        file: the checkpoint, for messages.

    Raises:
        InputError: the weights are not those of the model on this data set.
    """
    config, weights = config_of(state, file), weights_of(state, file)
    with explained(file), _start_files_are(state):
        model = config.model_class(config, dataset).to(config["device"])
        model.load_state_dict(weights)
        model.load_other_parameter(state.get("other_parameter"))
    return model


def _start_files_are(state: Mapping[str, Any]) -> ExitStack:
    """Some models start from another checkpoint that their config names; the weights of ``state`` come after those."""
    stack = ExitStack()
    stack.enter_context(mock.patch.object(torch, "load", return_value=state))
    stack.enter_context(mock.patch.object(s3rec, "torch", torch))
    return stack


@contextmanager
def explained(file: str) -> Iterator[None]:
    """What RecBole makes of the config of a checkpoint, which may not fit the data set, becomes one line.

    Raises:
        InputError: in the place of an error in the block.
    """
    try:
        yield
    except InputError:
        raise
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(f"{file}: its data set and model cannot be rebuilt ({first_line(error)})") from error


def install() -> None:
    """Make RecBole's trainers and ``load_data_and_model`` write and read plain checkpoints that name their rows."""
    global _original_load_data_and_model
    plain_torch = _TorchWithPlainCheckpoints("torch")
    trainer.torch = plain_torch
    s3rec.torch = plain_torch
    _original_load_data_and_model = exchange_code(quick_start.load_data_and_model, _load_data_and_model)
    for kind in ("GeneralRecommender", "SequentialRecommender", "KnowledgeRecommender", "ContextRecommender"):
        extend(getattr(abstract_recommender, kind), "__init__", _remember_items)
    extend(abstract_recommender.AbstractRecommender, "load_other_parameter", _load_other_parameter)
    for method in ("_save_checkpoint", "evaluate", "resume_checkpoint"):
        extend(trainer.Trainer, method, _by_trainer)
    extend(trainer.PretrainTrainer, "save_pretrained_model", _by_trainer)
    extend(s3rec.S3Rec, "__init__", _by_model)  # reads what it was pretrained to
    assert sys.modules["torch"] is torch


_original_load_data_and_model: types.FunctionType
