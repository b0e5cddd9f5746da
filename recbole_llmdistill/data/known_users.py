"""Do profiles or vectors belong to a data set? Asked of the user column of its ``.inter`` file alone, in seconds."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.data.user_names import differently_written
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.messages import Messages

if TYPE_CHECKING:
    from recbole.config import Config


def check_known_users(config: "Config", users: Collection[str], source: Path, messages: Messages) -> None:
    """Say how many of ``users`` the data set does not know; where no ``.inter`` file is found, say that.

    Args:
        config: RecBole's config of the data set.
        users: user tokens of a file.
        source: that file, for the message.
        messages: where to say it.

    Raises:
        InputError: the data set knows none of them, or knows some by another spelling.
    """
    name = config["dataset"]
    folder = Path(config["data_path"])
    files = sorted({*folder.glob(f"{name}.inter"), *folder.glob(f"{name}.*.inter")})
    if not files:
        messages.note(f"note: no {name}.inter in {config['data_path']}, so users are not compared with the data set's")
        return
    known = set().union(*(_users(file, config) for file in files))
    unknown = [user for user in users if user not in known]
    if hint := differently_written(unknown, known.difference(users)):
        raise InputError(f"{source}: {hint}")
    if len(unknown) == len(users):
        raise InputError(
            f"{source}: none of its {len(users)} users (the first is {unknown[0]!r}) is in {files[0]}; give the data "
            "set that the profiles were written for"
        )
    if unknown:
        messages.warn(
            f"{source}: {len(unknown)} of {len(users)} users (the first is {unknown[0]!r}) are not in "
            f"{files[0]}; training will pass them over"
        )


def _users(path: Path, config: "Config") -> set[str]:
    file = replace(AtomicFile.of(config, "inter"), path=path)
    try:
        with open(path, encoding=file.encoding) as lines:
            header = lines.readline().lstrip("\ufeff").rstrip("\r\n")
        fields = [field.split(":")[0] for field in header.split(file.separator)]
        if config["USER_ID_FIELD"] not in fields:
            raise ValueError(f"its columns are {', '.join(fields)[:300]}")
        column = file.table([fields.index(config["USER_ID_FIELD"])])
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: its column {config['USER_ID_FIELD']} cannot be read ({error})") from error
    return set(column.iloc[:, 0].unique())
