"""The plan of a comparison: which arms, which seeds, which metrics, and what is missing of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.comparison.results import Results, Run
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import write_text_atomically
from recbole_llmdistill.files.json_text import parse_json

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """Everything that tables need to know of what was asked for; lies beside the results as ``plan.json``.

    Attributes:
        dataset: name of the data set.
        arms: in the order of the table.
        identities: of each arm's settings (:attr:`~.arm_config.ArmConfig.identity`), in the same order.
        seeds: random seeds.
        cases: number of test cases.
        metrics: of the table of accuracy, e.g. ``["recall@10", "ndcg@10", "nll"]``.
        headline: those of them that are tested for significance, the one that picks the epoch first.
        quality: name of the file beside the results with the profile quality of each test case's user, ``[R]``; None
            without profiles.
    """

    dataset: str
    arms: Sequence[Arm]
    identities: Sequence[str]
    seeds: Sequence[int]
    cases: int
    metrics: Sequence[str]
    headline: Sequence[str]
    quality: str | None = None

    def runs(self) -> list[Run]:
        """All runs of the table, the first seed of every arm first."""
        arms = list(zip(self.arms, self.identities, strict=True))
        return [Run(arm.label, identity, seed) for seed in self.seeds for arm, identity in arms]

    def missing(self, results: Results) -> list[Run]:
        """Those that are still to be made."""
        return [run for run in self.runs() if results.done(run) is None]

    def records(self, results: Results, label: str) -> dict[int, dict[str, Any]]:
        """Seed -> record of an arm's successful runs."""
        runs = [run for run in self.runs() if run.label == label]
        return {run.seed: record for run in runs if (record := results.done(run)) is not None}

    def failures(self, results: Results) -> dict[str, str]:
        """Label -> why the arm's runs are missing."""
        reasons: dict[str, str] = {}
        for run in self.missing(results):
            if reason := results.failure(run):
                reasons.setdefault(run.label, reason)
        return reasons

    def write(self, folder: Path) -> None:
        """Write it beside the results.

        Raises:
            InputError: it cannot be written.
        """
        text = json.dumps({**asdict(self), "seeds": list(self.seeds)}, indent=2, default=str)
        write_text_atomically(folder / PLAN, text + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Plan":
        """The plan of the last comparison in a folder of results.

        Raises:
            InputError: there is none, or it is broken.
        """
        path = folder / PLAN
        try:
            content = parse_json(path.read_text(encoding="utf-8"))
            return cls(**{**content, "arms": [Arm(**arm) for arm in content["arms"]]})
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; `llmdistill compare` writes it") from error
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: is no plan of a comparison ({error})") from error
