"""How a search is run; what it searches is the space."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from recbole_llmdistill.tuning.schedulers import Scheduler
from recbole_llmdistill.tuning.searchers import Searcher


class SearchOptions(BaseModel):
    """How a search is run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(20, ge=1, description="sets of settings that are drawn")
    scheduler: Scheduler = Field("asha", description="what stops a trial early: asha, median or none")
    grace_epochs: Annotated[int, Field(ge=1)] | None = Field(
        None, description="epochs that every trial trains at least; None: an eighth of all"
    )
    searcher: Searcher = Field("random", description="what draws the trials: random, hyperopt, optuna or bayesopt")
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        None, description="most trials at once; None: as many as there is room for"
    )
    cpus_per_trial: float = Field(1, gt=0, description="CPUs of a trial, and threads of its torch")
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = Field(
        None, description="GPUs of a trial, or a fraction of one; None: one where there is any"
    )
    time_budget: Annotated[float, Field(gt=0)] | None = Field(
        None, description="seconds after which no more is trained; None: no such limit"
    )
    address: str | None = Field(None, description="of a Ray cluster; None: this machine")
    out: Path = Field(description="folder for everything that the search writes, but the winner's checkpoint")
    resume: bool = Field(False, description="go on with the search in that folder")
    output_file: Path | None = Field(None, description="also write all results as RecBole's text")
    display_file: Path | None = Field(None, description="where to put the page of plots; None: into the folder")
