"""``recbole_llmdistill.inspect``: are these vectors any good?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, Field

from recbole_llmdistill.api.recbole_config import config_of, log_level
from recbole_llmdistill.config.options import ConfigFiles, Options, given_as
from recbole_llmdistill.formats.entity import ENTITIES, ITEMS, USERS, Entity, Of
from recbole_llmdistill.formats.profile_texts import ProfileTexts, find_profile_texts, read_profile_texts
from recbole_llmdistill.messages import Messages

if TYPE_CHECKING:
    from recbole_llmdistill.inspection.report import Inspection


class InspectOptions(Options):
    """Options of :func:`inspect`."""

    dataset: str = Field(
        description="name of the data set, e.g. ml-100k", json_schema_extra={"flags": ["-d", "--dataset"]}
    )
    of: Of = Field("users", description="whose vectors")
    vectors: Path | None = Field(
        None, description="file or folder of the vectors; default: those that training would use"
    )
    texts: Path | None = Field(
        None,
        validation_alias=AliasChoices("texts", "profiles"),
        json_schema_extra={"flags": ["--texts", "--profiles"]},
        description="profiles.jsonl (of items: items.jsonl) or its folder; default: those of the vectors, else those "
        "that the package ships, else none",
    )
    config_files: ConfigFiles = Field(
        [],
        description="yaml files, separated by spaces",
        json_schema_extra={"flags": ["--config_files"], "nargs": None},
    )
    settings: dict[str, Any] = Field({}, description="RecBole's settings", json_schema_extra={"cli": False})
    genre_field: str | None = Field(None, description="field of the .item file for the genre; default: found")
    out: Path | None = Field(Path("inspect.html"), description="the page; None: no page is written")


@dataclass(frozen=True)
class InspectResult:
    """What :func:`inspect` found.

    Attributes:
        inspection: the findings.
        summary: the same in a few lines of text.
        files: the page, if one was written.
        messages: what was said beside.
    """

    inspection: Inspection
    summary: str
    files: list[Path]
    messages: Messages


def inspect(
    options: InspectOptions | None = None,
    *,
    messages: Messages | None = None,
    command_line: Sequence[str] = (),
    **keywords: Any,
) -> InspectResult:
    """See whether vectors are any good, before training: an HTML page and a summary.

    Args:
        options: what to look at.
        messages: where warnings go; default: into the result.
        command_line: further settings of RecBole, written ``--key=value``.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: an option, or a file that it names, cannot be used; or too few users (or items) have a vector.
    """
    options, messages = given_as(InspectOptions, options, keywords), messages or Messages()
    of = ENTITIES[options.of]
    vectors = {} if options.vectors is None or of is ITEMS else {"vectors_path": str(options.vectors)}
    config = config_of(
        "SASRecDistill", options.dataset, options.config_files, {**vectors, **options.settings}, command_line
    )

    from recbole.data import create_dataset

    from recbole_llmdistill.data.dataset_check import check_dataset
    from recbole_llmdistill.data.vector_lookup import find_profile_file, find_vectors
    from recbole_llmdistill.formats.vectors import read_profile_file
    from recbole_llmdistill.inspection.page import write_page
    from recbole_llmdistill.inspection.report import inspect_vectors
    from recbole_llmdistill.inspection.split import read_split
    from recbole_llmdistill.inspection.summary import summarize

    with log_level(logging.WARNING):
        check_dataset(config)
        if of is USERS:
            path = find_profile_file(config)
        else:
            instead = "`llmdistill encode --of items` makes them"
            path = find_vectors(config, of, options.vectors, "--vectors", instead)
        table = read_profile_file(path, of)
        texts = _texts(options, of, config, path.parent)
        for warning in texts.warnings() if texts else ():
            messages.warn(warning)
        training_part, validation_part, *_ = create_dataset(config).build()
        split = read_split(training_part, validation_part)
        inspection = inspect_vectors(
            table, split if of is USERS else split.of_items(), texts, config, options.genre_field
        )
    if options.out is not None:
        write_page(inspection, options.out)
    return InspectResult(inspection, summarize(inspection), [options.out] if options.out else [], messages)


def _texts(options: InspectOptions, of: Entity, config: Any, beside: Path) -> ProfileTexts | None:
    """The texts asked for, or those at hand, or None."""
    from recbole_llmdistill.files.resources import properties
    from recbole_llmdistill.formats.manifest import read_manifest
    from recbole_llmdistill.profiles.history.item_fields import FIELDS, load_item_fields

    if options.texts is not None:
        return read_profile_texts(find_profile_texts(options.texts, of), of)
    if of is ITEMS and ((read_manifest(beside, of) or {}).get("encoder") or {}).get("views") == [FIELDS]:
        return load_item_fields(config, field_length=None).as_texts()
    for folder in (beside, properties("profiles", options.dataset)):
        if (folder / of.texts).is_file():
            return read_profile_texts(folder / of.texts, of)
    return None
