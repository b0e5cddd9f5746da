"""What a comparison is asked for."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ComparisonOptions(BaseModel):
    """Options of :func:`~recbole_llmdistill.comparison.api.compare`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str = Field(description="name of the data set, e.g. ml-100k")
    models: tuple[str, ...] = Field(min_length=1, description="names of RecBole's models and ours")
    out: Path = Field(description="folder of results; the same folder goes on")
    seeds: int = Field(5, ge=1, description="seeds 0 to N-1")
    jobs: int = Field(1, ge=1, description="runs side by side")
    baseline: str | None = Field(
        None, description="arm or model that all are compared with; None: the plain twin of each"
    )
    report_only: bool = Field(False, description="tables of the runs that are there; run nothing")
    config_files: tuple[str, ...] = Field((), description="RecBole yaml files for all models")
    settings_of: dict[str, str] = Field({}, description="model -> a yaml file of its own")
    settings: dict[str, Any] = Field({}, description="settings of RecBole and ours that hold for all models")
    controls: tuple[str, ...] = Field(
        (), description="what tells knowledge from regularisation: shuffled, random, smoothed"
    )
    ablate: tuple[str, ...] = Field(
        (), description="pooling, layer, loss, alpha, beta, epochs, bridge, overlap or some of them"
    )
    vectors: dict[str, str] = Field({}, description="name -> file or folder of other profile vectors")
