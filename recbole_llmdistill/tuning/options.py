"""How a search is run; what it searches is the space."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from recbole_llmdistill.tuning.schedulers import SCHEDULERS
from recbole_llmdistill.tuning.searchers import SEARCHERS


class SearchOptions(BaseModel):
    """Options of a search.

    Attributes:
        trials: how many sets of settings are drawn.
        scheduler: what stops a trial early.
        grace_epochs: epochs that every trial trains at least; ``None``: an eighth of all.
        searcher: what draws the trials.
        concurrency: most trials at once; ``None``: as many as there is room for.
        cpus_per_trial: CPUs of a trial, and threads of its torch.
        gpus_per_trial: GPUs of a trial, or a fraction of one; ``None``: one where there is any.
        time_budget: seconds after which no more is trained; ``None``: no such limit.
        address: of a Ray cluster; ``None``: this machine.
        out: folder for everything that the search writes, but the winner's checkpoint.
        resume: whether to go on with the search in that folder.
        output_file: RecBole's text of all results; ``None``: none.
        display_file: where to put the page of plots; ``None``: into ``out``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: Annotated[int, Field(ge=1)] = 20
    scheduler: Literal[SCHEDULERS] = "asha"
    grace_epochs: Annotated[int, Field(ge=1)] | None = None
    searcher: Literal[SEARCHERS] = "random"
    concurrency: Annotated[int, Field(ge=1)] | None = None
    cpus_per_trial: Annotated[float, Field(gt=0)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    time_budget: Annotated[float, Field(gt=0)] | None = None
    address: str | None = None
    out: Path
    resume: bool = False
    output_file: Path | None = None
    display_file: Path | None = None
