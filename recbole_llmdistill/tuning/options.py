"""How a search is run; what it searches is the space."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic.config import JsonDict

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.tuning.schedulers import Scheduler
from recbole_llmdistill.tuning.searchers import Searcher

SEARCH: JsonDict = {"group": "search"}
_RESOURCES: JsonDict = {"group": "resources"}


class SearchOptions(Options):
    """How a search is run; flags with an underscore are RecBole's."""

    out: Path = Field(description="folder for everything that the search writes, but the winner's checkpoint")
    resume: bool = Field(False, description="go on with the search in that folder")
    output_file: Path | None = Field(
        None, description="also write all results as RecBole's text", json_schema_extra={"flags": ["--output_file"]}
    )
    display_file: Path | None = Field(
        None,
        description="page of plots; default: search.html in the folder",
        json_schema_extra={"flags": ["--display_file"]},
    )
    trials: int = Field(20, ge=1, description="sets of settings that are drawn", json_schema_extra=SEARCH)
    searcher: Searcher = Field("random", description="what draws the trials", json_schema_extra=SEARCH)
    scheduler: Scheduler = Field("asha", description="what stops a trial early", json_schema_extra=SEARCH)
    grace_epochs: Annotated[int, Field(ge=1)] | None = Field(
        None, description="epochs that every trial trains at least; default: an eighth of all", json_schema_extra=SEARCH
    )
    time_budget: Annotated[float, Field(gt=0)] | None = Field(
        None, description="train no longer than this", json_schema_extra={**SEARCH, "metavar": "SECONDS"}
    )
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        None, description="most trials at once; default: as many as there is room for", json_schema_extra=_RESOURCES
    )
    cpus_per_trial: float = Field(
        1, gt=0, description="CPUs of a trial, and threads of its torch", json_schema_extra=_RESOURCES
    )
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="GPUs of a trial, or a fraction of one; default: one where there is any",
        json_schema_extra=_RESOURCES,
    )
    address: str | None = Field(
        None, description="of a Ray cluster, e.g. auto; default: this machine", json_schema_extra=_RESOURCES
    )
