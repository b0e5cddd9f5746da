"""The graph as a program of ``torch.export`` (``.pt2``), which is loaded without the model's code and without pickle.

Its inputs and outputs are those of :class:`recbole_llmdistill.exports.scoring.Scoring`. TorchScript is no choice: its
archives hold pickles. So may a ``.pt2``, of example inputs and of rare kinds of weights; none is written here, and a
file with one is not loaded.
"""

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recbole_llmdistill.compat.checkpoints import first_line
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.scoring import Scoring


def write_program(scoring: Scoring, longest: int, file: Path) -> None:
    """Write the program.

    Args:
        scoring: what it computes.
        longest: items of a sequence at most.
        file: to write.

    Raises:
        InputError: PyTorch cannot export the model, or writes a pickle.
    """
    state = scoring.state
    if any(isinstance(module, nn.RNNBase) for module in state.modules()):
        state.pad_to = longest  # the exporter writes recurrences out, step by step
    dim = torch.export.Dim
    batch = dim("batch")
    example = (
        torch.ones(3, min(longest, 2), dtype=torch.int64),
        torch.ones(3, dtype=torch.int64),
        torch.zeros(3, 2, dtype=torch.int64),
        3,
    )
    shapes = {
        "items": {0: batch, 1: dim("length", max=max(longest, 2))},
        "lengths": {0: batch},
        "seen": {0: batch, 1: dim("seen_items")},
        "k": dim.DYNAMIC,
    }
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(scoring, example, dynamic_shapes=shapes)
            program.example_inputs = None  # which would be a pickle
            torch.export.save(program, file)
    except Exception as error:  # whatever a model's code makes of the exporter
        raise InputError(f"PyTorch cannot export {type(state.model).__name__} ({first_line(error)})") from error
    check_no_pickle(file)


def load_program(file: Path) -> Callable[..., Any]:
    """The program as a function.

    Raises:
        InputError: it cannot be loaded without pickle.
    """
    check_no_pickle(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(file).module()
    except Exception as error:  # whatever the bytes of a file make of the reader
        raise InputError(f"{file}: PyTorch {torch.__version__} cannot load it ({first_line(error)})") from error


def check_no_pickle(file: Path) -> None:
    """Refuse a program of which a part would be unpickled.

    Raises:
        InputError: there is one, or it is no such program.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            configs = [json.loads(archive.read(name)) for name in names if name.endswith("_config.json")]
            held = [entry["use_pickle"] for config in configs for entry in config["config"].values()]
            examples = sum(archive.getinfo(name).file_size for name in names if "/sample_inputs/" in name)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: no program of torch.export ({first_line(error)})") from error
    if not configs or any(held) or examples:
        raise InputError(f"{file}: PyTorch {torch.__version__} keeps pickles in it; use PyTorch 2.9 or newer")
