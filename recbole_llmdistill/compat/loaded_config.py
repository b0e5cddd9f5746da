"""What a checkpoint's config may say of files: nothing that would be run, written to, or read in another's place.

Settings that only say how the run that wrote the checkpoint was started are put back to RecBole's defaults; names that
become parts of paths must be plain names. ``docs/training.md`` has the table.
"""

import inspect
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config

from recbole_llmdistill.config.identity import UNPICKLE
from recbole_llmdistill.config.old_names import renamed
from recbole_llmdistill.errors import InputError

# Files that would be unpickled, written, sent, or loaded over the checkpoint's own weights.
DROPPED = {
    "dataset_save_path": None,
    "dataloaders_save_path": None,
    "save_dataset": False,
    "save_dataloaders": False,
    UNPICKLE: False,
    "log_wandb": False,
    "distill_warm_start": None,
    "distill_resume": None,
    "use_pretrain": False,  # NeuMF
    "xgb_model": None,
    "lgb_model": None,
}
"""Settings that a loaded config does not keep, with the values that it gets."""


def make_harmless(config: Config, file: Path) -> None:
    """Drop from the config of the checkpoint ``file`` what must not be followed; its folder is that of the file.

    Raises:
        InputError: a name in it is a path, or text that RecBole would run.
    """
    settings = config.final_config_dict = renamed(config.final_config_dict, f"{file}: ", hint=False)
    settings.update({key: value for key, value in DROPPED.items() if key in settings})
    settings["checkpoint_dir"] = str(file.parent)
    if isinstance(settings.get("sequence_data_cache"), str):
        settings["sequence_data_cache"] = True  # in checkpoint_dir
    if config.model == "ConvNCF":  # its embeddings are in the checkpoint, as NeuMF's are
        settings["train_method"] = "no_pretrain"
    for key in ("model", "dataset", "benchmark_filename", "additional_feat_suffix"):
        names = settings.get(key) or []
        for name in [names] if isinstance(names, str) else names:
            if not isinstance(name, str) or any(part in name for part in ("/", "\\", "\0")) or name in (".", ".."):
                raise InputError(f"{file}: {key} in its config is no plain name, but {_shortened(name)}")
    for key in ("data_path", "state"):
        if not isinstance(settings.get(key), (str, type(None))):
            raise InputError(f"{file}: {key} in its config is no text")
    if config.model == "KD_DAGFM":
        _check_teacher(settings.get("teacher"), file)


def check_data_set_is_there(config: Config, file: str) -> None:
    """Refuse to go on where RecBole would download the data set into a folder that a checkpoint names.

    Raises:
        InputError: the folder does not exist.
    """
    folder = config["data_path"]
    if not folder or not Path(folder).is_dir():
        raise InputError(
            f"{file} was trained on the data set {config.dataset} in {_shortened(folder)}, which is not there; put it "
            "there, or rebuild the model with a config of your own and load the weights (torch.load of the file)"
        )


def _check_teacher(name: Any, file: Path) -> None:
    """RecBole evaluates this text to get a class (kd_dagfm.py 44)."""
    from recbole.model.context_aware_recommender import kd_dagfm

    found = vars(kd_dagfm).get(name) if isinstance(name, str) else None
    if not (inspect.isclass(found) and issubclass(found, torch.nn.Module)):
        raise InputError(f"{file}: teacher in its config is no network of KD_DAGFM, but {_shortened(name)}")


def _shortened(value: Any) -> str:
    text = " ".join(str(value).split()) if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= 80 else f"{text[:80]} ..."
