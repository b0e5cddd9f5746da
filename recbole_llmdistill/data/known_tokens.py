"""Do texts or vectors belong to a data set? Asked of one column of its atomic files alone, in seconds."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_llmdistill.data.token_spelling import differently_written
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.atomic_files import AtomicFile
from recbole_llmdistill.formats.entity import ITEMS, USERS, Entity
from recbole_llmdistill.messages import Messages

if TYPE_CHECKING:
    from recbole.config import Config


def check_known(
    config: "Config", tokens: Collection[str], source: Path, messages: Messages, of: Entity = USERS
) -> None:
    """Say how many of ``tokens`` the data set does not know; where no ``.inter`` file is found, say that.

    An item is known that stands in the ``.item`` file alone: RecBole ranks it, too.

    Args:
        config: RecBole's config of the data set.
        tokens: users or items of a file.
        source: that file, for the message.
        messages: where to say it.
        of: users or items.

    Raises:
        InputError: the data set knows none of them, or knows some by another spelling.
    """
    name = config["dataset"]
    files = list(_files(config, "inter"))
    if not files:
        messages.note(
            f"note: no {name}.inter in {config['data_path']}, so {of.name} are not compared with the data set's"
        )
        return
    catalogue = list(_files(config, "item")) if of is ITEMS else []
    field = config[of.id_setting]
    known = set().union(*(_column(file, field, config) for file in [*files, *catalogue]))
    unknown = [token for token in tokens if token not in known]
    if hint := differently_written(unknown, known.difference(tokens), of):
        raise InputError(f"{source}: {hint}")
    if len(unknown) == len(tokens):
        raise InputError(
            f"{source}: none of its {len(tokens)} {of.name} (the first is {unknown[0]!r}) is in {files[0]}; give the "
            f"data set that the {of.text}s were written for"
        )
    if unknown:
        messages.warn(
            f"{source}: {len(unknown)} of {len(tokens)} {of.name} (the first is {unknown[0]!r}) are not in "
            f"{files[0]}; training will pass them over"
        )


def _files(config: "Config", suffix: str) -> Iterator[Path]:
    name, folder = config["dataset"], Path(config["data_path"])
    yield from sorted({*folder.glob(f"{name}.{suffix}"), *folder.glob(f"{name}.*.{suffix}")})


def _column(path: Path, field: str, config: "Config") -> set[str]:
    file = replace(AtomicFile.of(config, "inter"), path=path)
    fields = list(file.header())
    try:
        if field not in fields:
            raise ValueError(f"its columns are {', '.join(fields)[:300]}")
        column = file.table([fields.index(field)])
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: its column {field} cannot be read ({error})") from error
    return set(column.iloc[:, 0].unique())
