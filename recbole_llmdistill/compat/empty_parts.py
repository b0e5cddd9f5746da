"""Parts of a split without a row are told before training, not by a result of ``None`` after it.

Answered lines: ``Trainer.fit`` takes an empty validation part for none (trainer.py 458) and ``Trainer.evaluate`` gives
``None`` for an empty test part (560), so a run on users of two interactions ends well and says nothing. The parts are
seen where ``data_preparation`` makes samplers of them (``data/utils.py`` 169), which everything does that trains.
"""

from collections.abc import Callable

from recbole.config import Config
from recbole.data import utils
from recbole.data.dataset import Dataset

from recbole_llmdistill.compat.extend import extend
from recbole_llmdistill.errors import InputError

_CONSEQUENCES = {
    "validation": "training does not stop early, and the model of its last epoch is kept",
    "test": "there is no test result",
}


def _create_samplers(config: Config, original: Callable, dataset: Dataset, built_datasets: list[Dataset]) -> tuple:
    _check_parts(config, dataset, built_datasets)
    return original(config, dataset, built_datasets)


def _check_parts(config: Config, dataset: Dataset, parts: list[Dataset]) -> None:
    """Refuse a split with which nothing can be evaluated, and tell of one that has half of it.

    A split without a training row has been refused by then (:mod:`recbole_llmdistill.compat.data_errors`).

    Raises:
        InputError: no row in any of the evaluation parts that the split asks for.
    """
    sizes = {name: len(part.inter_feat) for name, part in zip(("training", "validation", "test"), parts, strict=True)}
    split = f"eval_args: split {_split(config)} of {dataset.dataset_name}"
    asked_for = _evaluation_parts(config)
    empty = [name for name in asked_for if not sizes[name]]
    if empty and len(empty) == len(asked_for):
        raise InputError(
            f"{split} leaves no row for the {' and the '.join(empty)} part: all {sizes['training']} are for training, "
            "so nothing can be evaluated. Leave-one-out needs users of three interactions; loosen the filters or "
            "choose another split ({'RS': [1, 0, 0]} is for training without an evaluation)"
        )
    for name in empty:
        dataset.logger.warning(f"{split} leaves no row for the {name} part: {_CONSEQUENCES[name]}")


def _split(config: Config) -> dict | str:
    return "into ready-made files" if config["benchmark_filename"] else config["eval_args"]["split"]


def _evaluation_parts(config: Config) -> list[str]:
    """Parts that the split is to have besides the training part."""
    if config["benchmark_filename"]:
        return ["validation", "test"]
    ((mode, how),) = config["eval_args"]["split"].items()
    if mode == "LS":
        return [name for name, short in (("validation", "valid"), ("test", "test")) if short in how]
    return [name for name, share in zip(("validation", "test"), how[1:], strict=False) if share > 0]


def install() -> None:
    """Extend what ``data_preparation`` does with the parts."""
    extend(utils, "create_samplers", _create_samplers)
