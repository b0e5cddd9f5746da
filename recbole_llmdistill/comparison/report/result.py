"""What a comparison has come to, in one object; needs neither torch nor RecBole."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.files import all_tables, notes, write_report
from recbole_llmdistill.comparison.report.table import Table
from recbole_llmdistill.comparison.report.tables import accuracy_table
from recbole_llmdistill.errors import InputError


@dataclass(frozen=True)
class CompareResult:
    """What came out.

    Attributes:
        analysis: means, differences and the values of single cases.
        tables: by name: ``accuracy``, ``changes``, ``costs``, ``beyond_accuracy``, and ``controls`` and ``gains`` where
            there are any.
        notes: what a reader has to know of the whole comparison.
        files: that were written for a reader: page, tables, figure.
    """

    analysis: Analysis
    tables: dict[str, Table]
    notes: list[str]
    files: list[Path]

    @property
    def records(self) -> list[dict[str, Any]]:
        """Of all successful runs: settings, metrics, times, memory; the arms in the order of the table."""
        return [record for arm in self.analysis.arms for record in self.analysis.records(arm.label).values()]

    @property
    def failures(self) -> dict[str, str]:
        """Label of each arm whose runs are missing -> why."""
        return self.analysis.failures

    @cached_property
    def summary(self) -> list[Table]:
        """The tables for a screen: accuracy in the headline metrics alone, changes, controls, costs."""
        short = accuracy_table(self.analysis, self.analysis.plan.headline)
        return [short, *(self.tables[name] for name in ("changes", "controls", "costs") if name in self.tables)]


def report(folder: Path) -> CompareResult:
    """Write tables, page and figure of a folder of results into it.

    Args:
        folder: ``out`` of a comparison.

    Raises:
        InputError: it holds no comparison, or none with a run that succeeded, or cannot be written.
    """
    analysis = Analysis.of_folder(folder)
    if not any(analysis.records(arm.label) for arm in analysis.arms):
        label, reason = next(iter(analysis.failures.items()), ("", "nothing was run"))
        raise InputError(f"no run has succeeded; {label}: {reason}; logs are in {folder / 'logs'}")
    tables, found = all_tables(analysis)
    remarks = notes(analysis)
    files = write_report(analysis, tables, found, remarks)
    return CompareResult(analysis, {table.name: table for table in tables}, remarks, files)
