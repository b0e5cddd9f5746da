"""``recbole_llmdistill.encode``: turn texts of users or items into vectors that training reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import AliasChoices, ConfigDict, Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ENTITIES, ITEMS, USERS, Entity, Of
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.formats.profile_texts import ProfileTexts, find_profile_texts, read_profile_texts
from recbole_llmdistill.messages import Messages
from recbole_llmdistill.vectors.encoding import EncodingSummary, encode_profiles


class EncodeOptions(Options):
    """Options of :func:`encode`, and beside them those of the encoder, e.g. ``dimensions``.

    The encoders and their options are below :mod:`recbole_llmdistill.vectors.encoders`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    dataset: str = Field(
        description="name of the data set, e.g. ml-100k", json_schema_extra={"flags": ["-d", "--dataset"]}
    )
    of: Of = Field("users", description="whose texts")
    texts: Path | None = Field(
        None,
        validation_alias=AliasChoices("texts", "profiles"),
        description="profiles.jsonl (of items: items.jsonl) or its folder; default: those that the package ships; of "
        "items, where it ships none, the fields of the .item file",
        json_schema_extra={"flags": ["--texts", "--profiles"]},
    )
    fields: Literal["none", "too", "only"] = Field(
        "none", description="of items, whether the fields of the .item file are put behind each text, or take its place"
    )
    out: Path = Field(description="folder for the vectors")
    encoder: str = Field(
        "tfidf",
        min_length=1,
        description="tfidf (needs no download), a sentence encoder's name or folder "
        "(intfloat/multilingual-e5-large), or openai:MODEL",
    )
    text: bool = Field(True, description="write the text file too")
    ray: str | None = Field(
        None,
        description="encode on a Ray cluster: auto, local, or ray://HOST:PORT",
        json_schema_extra={"metavar": "ADDRESS"},
    )
    settings: dict[str, Any] = Field(
        {}, description="RecBole's settings, e.g. data_path", json_schema_extra={"cli": False}
    )
    show_progress: bool = Field(True, description="show a progress bar", json_schema_extra={"cli": False})


@dataclass(frozen=True)
class EncodeResult(EncodingSummary):
    """What :func:`encode` did.

    Attributes:
        source: file of the texts.
        messages: what was said beside.
    """

    source: Path
    messages: Messages


def encode(
    options: EncodeOptions | None = None,
    *,
    messages: Messages | None = None,
    command_line: Sequence[str] = (),
    **keywords: Any,
) -> EncodeResult:
    """Turn texts into ``<dataset>.useremb.npz`` (of items ``<dataset>.itememb.npz``) and its twin in text.

    An interrupted run goes on when the same is asked for again.

    Args:
        options: what to do.
        messages: where notes and warnings go; default: into the result.
        command_line: further settings of RecBole, written ``--key=value``.
        keywords: fields of the options, in their place or changing them; the encoder's own options among them.

    Raises:
        InputError: an option, or a file that it names, cannot be used; or the encoder fails.
    """
    from recbole_llmdistill.api.recbole_config import config_of
    from recbole_llmdistill.data.known_tokens import check_known
    from recbole_llmdistill.ray_cluster import check_ray
    from recbole_llmdistill.vectors.encoders.protocol import ENCODERS

    options, messages = given_as(EncodeOptions, options, keywords), messages or Messages()
    encoder = ENCODERS.choose(options.encoder, options.model_extra or {})
    if options.ray:
        check_ray("--ray", "cluster")
    config = config_of("SASRecDistill", options.dataset, settings=options.settings, command_line=command_line)
    of = ENTITIES[options.of]
    texts, manifest = _texts(options, of, config, messages)
    for warning in texts.warnings():
        messages.warn(warning)
    check_known(config, texts.tokens, texts.path, messages, of)
    messages.note(f"{texts.path}: {len(texts.tokens)} {of.name}, {len(texts.texts)} different texts")
    summary = encode_profiles(
        texts,
        encoder,
        options.dataset,
        options.out,
        text=options.text,
        manifest=manifest,
        ray_address=options.ray,
        show_progress=options.show_progress,
    )
    return EncodeResult(**vars(summary), source=texts.path, messages=messages)


def _texts(
    options: EncodeOptions, of: Entity, config: Any, messages: Messages
) -> tuple[ProfileTexts, dict[str, Any] | None]:
    """The texts that are to be encoded, and their manifest; None: the one beside them.

    Raises:
        InputError: there are none, or an option means nothing to those whose texts they are.
    """
    if of is USERS:
        if options.fields != "none":
            raise InputError(f"--fields={options.fields} means nothing to --of=users; leave it out")
        found = _find_texts(options, of)
        assert found is not None  # of users it is found or refused
        return read_profile_texts(found), None
    if options.fields == "only" and options.texts is not None:
        raise InputError("--fields=only takes the place of texts; leave out --texts, or give --fields=too")
    from recbole_llmdistill.profiles.history.item_fields import load_item_fields

    found = None if options.fields == "only" else _find_texts(options, of)
    texts = None if found is None else read_profile_texts(found, of)
    if texts is not None and options.fields == "none":
        return texts, None
    fields = load_item_fields(config, field_length=None)
    for note in fields.notes:
        messages.note(note)
    manifest = {"of": of.name, "dataset": options.dataset, **fields.described()}
    if texts is None:
        if options.fields != "only":
            messages.note(f"no texts of items are given; the fields of {fields.path} are encoded as they are")
        return fields.as_texts(), manifest
    return _with_fields(texts, fields.as_texts()), manifest | (read_manifest(texts.path.parent, of) or {})


def _with_fields(texts: ProfileTexts, fields: ProfileTexts) -> ProfileTexts:
    """Each text with the item's fields behind it; an item that has one of the two has that one."""
    row_of = {token: row for row, token in enumerate(fields.tokens)}
    described = set(texts.tokens)
    tokens = [*texts.tokens, *(token for token in fields.tokens if token not in described)]
    number: dict[str, int] = {}
    text_of = np.full((len(tokens), len(texts.views)), -1, dtype=np.int64)
    for row, token in enumerate(tokens):
        behind = fields.joined(row_of[token]) if token in row_of else ""
        held = texts.text_of[row] if row < len(texts.tokens) else np.full(len(texts.views), -1)
        for view, index in enumerate(held.tolist()):
            parts = [texts.texts[index]] if index >= 0 else []
            if text := "\n".join([*parts, *([behind] if behind else [])]):
                text_of[row, view] = number.setdefault(text, len(number))
    views = tuple(f"{view} and fields" for view in texts.views)
    return replace(texts, tokens=tokens, views=views, texts=list(number), text_of=text_of)


def _find_texts(options: EncodeOptions, of: Entity) -> Path | None:
    """The file of the texts: what was given, else what this package ships; None: no text of items ships with it."""
    from recbole_llmdistill.files.resources import properties

    if options.texts is not None:
        return find_profile_texts(options.texts, of)
    shipped = properties("profiles", options.dataset, of.texts)
    if shipped.is_file():
        return shipped
    if of is ITEMS:
        return None
    raise InputError(
        f"no profiles of the data set {options.dataset!r} ship with this package; give yours by "
        f"--texts=FOLDER, the folder that `llmdistill generate --dataset={options.dataset} --out=FOLDER` writes"
    )
