"""Find the profile file that belongs to a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.vectors import BINARY_SUFFIX, TEXT_SUFFIX, newest_twin

if TYPE_CHECKING:
    from recbole.config import Config


def find_profile_file(config: "Config") -> Path:
    """Path of the profile vectors: ``profile_path`` if set, else beside the data set, else what this package ships.

    ``profile_path`` may be a file, or a folder with ``<dataset>.useremb`` or ``<dataset>.useremb.npz`` in it. Where
    text and binary twin both exist the newer one is read, so that an edited text file is not passed over.

    Raises:
        InputError: there is none.
    """
    name = config["dataset"]
    chosen = config["profile_path"]
    if chosen:
        path = Path(chosen)
        if path.is_file():
            return path
        found = newest_twin(path, name)
        if found is None:
            what = f"holds neither {name}{TEXT_SUFFIX} nor {name}{BINARY_SUFFIX}" if path.is_dir() else "does not exist"
            raise InputError(f"profile_path: {path} {what}")
        return found
    folders = [Path(config["data_path"]), properties("profiles", name)]
    for folder in folders:
        if found := newest_twin(folder, name):
            return found
    raise InputError(
        f"no profiles for dataset {name!r}: looked for {name}{TEXT_SUFFIX} and {name}{BINARY_SUFFIX} in "
        f"{folders[0].resolve()}; put a file there (one vector a user, see Files in docs/encode.md), "
        "set profile_path, or train without profiles by distill_alpha=0"
    )
