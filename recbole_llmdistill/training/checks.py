"""What can be found wrong before minutes of loading and training, each told in one line."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.vector_lookup import find_item_vectors, find_profile_file
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.registry import MODELS

if TYPE_CHECKING:
    from recbole.config import Config


def check_checkpoint_folder(config: "Config") -> None:
    """Refuse a ``checkpoint_dir`` into which nothing can be written."""
    folder = Path(config["checkpoint_dir"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"checkpoint_dir={str(folder)!r}: cannot be made ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"checkpoint_dir={str(folder)!r}: nothing can be written there")


def check_vectors(config: "Config") -> None:
    """Refuse to distil without a file of user vectors, and item knowledge without one of item vectors."""
    if config["model"] not in MODELS:
        return
    settings = DistillationSettings.from_config(config)
    if settings.distillation_epochs(config["epochs"]) > 0:
        find_profile_file(config)
    if settings.learns_item_texts and settings.item_control != "cooccurrence":
        find_item_vectors(config)
