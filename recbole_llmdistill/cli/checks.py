"""What can be found wrong before minutes of loading and training, each told in one line."""

from pathlib import Path
from types import SimpleNamespace

from recbole.data.dataset import Dataset

from recbole_llmdistill.data.profile_lookup import find_profile_file
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.registry import MODELS
from recbole_llmdistill.settings import DistillationSettings


def check_dataset(config) -> None:
    """Refuse a data set that neither lies on the disk nor is one that RecBole downloads."""
    name, folder = config["dataset"], Path(config["data_path"])
    if _has_interactions(folder, name):
        return
    if folder.is_dir():
        raise InputError(f"data set {name!r}: there is no {name}.inter in {folder}")
    asking = SimpleNamespace(config=config, dataset_name=name)  # the method's self; a data set would start loading
    if Dataset._get_download_url(asking, "url", allow_none=True) is None:
        raise InputError(
            f"data set {name!r}: there is no folder {folder}, and RecBole does not download a data set of that name; "
            f"put {name}.inter there, or set data_path to the folder above it"
        )


def _has_interactions(folder: Path, name: str) -> bool:
    return (folder / f"{name}.inter").is_file() or any(folder.glob(f"{name}.*.inter"))  # benchmark_filename


def check_profiles(config) -> None:
    """Refuse to distil without a profile file."""
    if config["model"] not in MODELS:
        return
    if DistillationSettings.from_config(config).distillation_epochs(config["epochs"]) > 0:
        find_profile_file(config)
