"""Find the file of vectors that belongs to a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.resources import properties
from recbole_llmdistill.formats.entity import ITEMS, USERS, Entity
from recbole_llmdistill.formats.vectors import newest_twin

if TYPE_CHECKING:
    from recbole.config import Config

    pass


def find_profile_file(config: "Config") -> Path:
    """Path of the profile vectors: ``vectors_path`` if set, else beside the data set, else what this package ships.

    ``vectors_path`` may be a file, or a folder with ``<dataset>.useremb`` or ``<dataset>.useremb.npz`` in it. Where
    text and binary twin both exist the newer one is read, so that an edited text file is not passed over.

    Raises:
        InputError: there is none.
    """
    instead = (
        "put a file there (one vector per user, see Files in docs/encode.md), set vectors_path, or train without "
        "profiles by distill_alpha=0"
    )
    return find_vectors(config, USERS, config["vectors_path"], "vectors_path", instead)


def find_item_vectors(config: "Config") -> Path:
    """Path of the item vectors: ``item_vectors_path`` if set, else beside the data set, else what this package ships.

    Raises:
        InputError: there is none.
    """
    instead = (
        "make them by llmdistill encode --of items, set item_vectors_path, or train without them by "
        "item_knowledge=none and item_target_smoothing=0"
    )
    return find_vectors(config, ITEMS, config["item_vectors_path"], "item_vectors_path", instead)


def find_vectors(config: "Config", of: Entity, chosen: str | Path | None, setting: str, instead: str) -> Path:
    """Path of the vectors of users or items: what was chosen, else beside the data set, else what this package ships.

    Args:
        config: RecBole's.
        of: users or items.
        chosen: a file or folder, if there was a choice.
        setting: by which it is chosen, for messages.
        instead: what to do where there are none, for the message.

    Raises:
        InputError: there is none.
    """
    name = config["dataset"]
    if chosen:
        path = Path(chosen)
        if path.is_file():
            return path
        if found := newest_twin(path, name, of):
            return found
        missing = f"holds neither {name}{of.suffix} nor {name}{of.binary_suffix}"
        raise InputError(f"{setting}: {path} {missing if path.is_dir() else 'does not exist'}")
    folders = [Path(config["data_path"]), properties("profiles", name)]
    for folder in folders:
        if found := newest_twin(folder, name, of):
            return found
    what = "profiles" if of is USERS else "item vectors"
    raise InputError(
        f"no {what} for dataset {name!r}: looked for {name}{of.suffix} and {name}{of.binary_suffix} in "
        f"{folders[0].resolve()}; {instead}"
    )
