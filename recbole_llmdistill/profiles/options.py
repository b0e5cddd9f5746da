"""What ``llmdistill generate`` and ``recbole_llmdistill.generate`` can be asked for."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from recbole_llmdistill.config.options import ConfigFiles, Options
from recbole_llmdistill.formats.entity import Of
from recbole_llmdistill.profiles.history.item_fields import FIELD_LENGTH

_WHO, _LLM, _LOOK = "which of them", "LLM", "before you pay"


def _share_or_count(value: float) -> float:
    if value >= 1 and value != int(value):
        raise PydanticCustomError("share_or_count", "must be a share below 1, or a whole number of interactions")
    return value


class GenerateOptions(Options):
    """Options of the generation of texts, and beside them those of the LLM, e.g. ``base_url``.

    The LLMs and their options are below :mod:`recbole_llmdistill.profiles.llm`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    dataset: str | None = Field(
        None,
        description="name of the data set, unless a config file names it",
        json_schema_extra={"flags": ["-d", "--dataset"]},
    )
    of: Of = Field("users", description="who is described: users by their histories, or items by their fields")
    model: str = Field(
        "SASRecDistill", description="model that will train", json_schema_extra={"flags": ["-m", "--model"]}
    )
    config_files: ConfigFiles = Field(
        [],
        description="RecBole yaml files, separated by spaces",
        json_schema_extra={"flags": ["--config_files"], "nargs": None},
    )
    settings: dict[str, Any] = Field({}, description="RecBole's settings", json_schema_extra={"cli": False})
    out: Path | None = Field(None, description="folder of the texts; an interrupted run in it is continued")

    users: Path | None = Field(
        None,
        description="only the users of this file, one per line",
        json_schema_extra={"group": _WHO, "metavar": "FILE"},
    )
    items: Path | None = Field(
        None,
        description="only the items of this file, one per line",
        json_schema_extra={"group": _WHO, "metavar": "FILE"},
    )
    shard: str | None = Field(
        None,
        description="only part i of n, for n machines; join them by llmdistill merge",
        json_schema_extra={"group": _WHO, "metavar": "i/n"},
    )
    changed_by: Annotated[float, AfterValidator(_share_or_count)] | None = Field(
        None,
        ge=0,
        description="of the profiles in --out, write again those whose user's history grew by more than this share "
        "(below 1) or number of interactions, and those of new users",
        json_schema_extra={"group": _WHO, "metavar": "X"},
    )
    on_error: Literal["fail", "skip"] = Field(
        "fail",
        description="with --changed-by, what to do with a line of profiles.jsonl that cannot be read: end with its "
        "number, or count it and go on as if its user had no profile",
        json_schema_extra={"group": _WHO},
    )
    limit: int | None = Field(
        None, ge=1, description="only the first N of these", json_schema_extra={"group": _WHO, "metavar": "N"}
    )

    llm: str = Field(
        min_length=1,
        description="openai:MODEL, hf:MODEL_OR_FOLDER, or none:summary (no LLM; of an item its fields)",
        json_schema_extra={"group": _LLM},
    )
    prompt: str | None = Field(
        None,
        description="names or .yaml files, one per view, separated by commas (default neutral-short, "
        "of items items-neutral)",
        json_schema_extra={"group": _LLM},
    )
    strategy: Literal["merge_after", "update", "recent", "views"] = Field(
        "merge_after",
        description="for histories longer than the context; views: several prompts, needs,tastes,habits",
        json_schema_extra={"group": _LLM},
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="longest answer (default: the prompt's)",
        json_schema_extra={"group": _LLM, "metavar": "N"},
    )
    field_length: int = Field(
        FIELD_LENGTH,
        ge=1,
        description="most characters of a field of an item",
        json_schema_extra={"group": _LLM, "metavar": "N"},
    )
    ray: str | None = Field(
        None,
        description="one local model a GPU of a Ray cluster: auto (default), local, or ray://HOST:PORT",
        json_schema_extra={"group": _LLM, "const": "auto", "metavar": "ADDRESS"},
    )

    estimate: bool = Field(
        False, description="count requests, tokens and cost; send nothing", json_schema_extra={"group": _LOOK}
    )
    show_prompt: str | None = Field(
        None,
        description="print what would be sent for this user or item; send nothing",
        json_schema_extra={"group": _LOOK, "metavar": "NAME"},
    )
    price_in: float | None = Field(
        None, description="price of a million prompt tokens", json_schema_extra={"group": _LOOK, "metavar": "P"}
    )
    price_out: float | None = Field(
        None, description="price of a million answer tokens", json_schema_extra={"group": _LOOK, "metavar": "P"}
    )
    show_progress: bool = Field(True, description="show a progress bar", json_schema_extra={"cli": False})
