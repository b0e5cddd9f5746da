"""``recbole_llmdistill.encode``: turn profile texts into vectors that training reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.profile_texts import TEXTS, find_profile_texts, read_profile_texts
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
    profiles: Path | None = Field(
        None, description="profiles.jsonl or its folder; default: those that the package ships"
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
    """Turn profile texts into ``<dataset>.useremb.npz`` and its twin in text.

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
    from recbole_llmdistill.data.known_users import check_known_users
    from recbole_llmdistill.ray_cluster import check_ray
    from recbole_llmdistill.vectors.encoders.protocol import ENCODERS

    options, messages = given_as(EncodeOptions, options, keywords), messages or Messages()
    encoder = ENCODERS.choose(options.encoder, options.model_extra or {})
    if options.ray:
        check_ray("--ray", "cluster")
    config = config_of("SASRecDistill", options.dataset, settings=options.settings, command_line=command_line)
    profiles = read_profile_texts(_find_profiles(options))
    for warning in profiles.warnings():
        messages.warn(warning)
    check_known_users(config, profiles.user_tokens, profiles.path, messages)
    messages.note(f"{profiles.path}: {len(profiles.user_tokens)} users, {len(profiles.texts)} different texts")
    summary = encode_profiles(
        profiles,
        encoder,
        options.dataset,
        options.out,
        text=options.text,
        ray_address=options.ray,
        show_progress=options.show_progress,
    )
    return EncodeResult(**vars(summary), source=profiles.path, messages=messages)


def _find_profiles(options: EncodeOptions) -> Path:
    """The file of the profiles: what was given, else what this package ships."""
    from recbole_llmdistill.files.resources import properties

    if options.profiles is not None:
        return find_profile_texts(options.profiles)
    shipped = properties("profiles", options.dataset, TEXTS)
    if not shipped.is_file():
        raise InputError(
            f"no profiles of the data set {options.dataset!r} ship with this package; give yours by "
            f"--profiles=FOLDER, the folder that `llmdistill generate --dataset={options.dataset} --out=FOLDER` writes"
        )
    return shipped
