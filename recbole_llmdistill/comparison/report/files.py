"""What a comparison leaves behind: tables in every format, the page, the figure."""

from collections.abc import Sequence
from pathlib import Path

from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.gains import Gain, gains, gains_table
from recbole_llmdistill.comparison.report.table import Table
from recbole_llmdistill.comparison.report.tables import (
    accuracy_table,
    beyond_accuracy_table,
    changes_table,
    controls_table,
    costs_table,
)
from recbole_llmdistill.comparison.results import code_versions
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.atomic_write import written_atomically

TABLES = "tables"


def all_tables(analysis: Analysis) -> tuple[list[Table], list[Gain]]:
    """Every table, and the gains of groups behind the last one."""
    found = list(gains(analysis))
    tables = [
        accuracy_table(analysis, analysis.plan.metrics),
        changes_table(analysis),
        controls_table(analysis),
        costs_table(analysis),
        beyond_accuracy_table(analysis),
        gains_table(analysis, found) if found else None,
    ]
    return [table for table in tables if table is not None and table.rows], found


def notes(analysis: Analysis) -> list[str]:
    """What a reader has to know of the whole comparison."""
    lines = []
    records = [record for arm in analysis.arms for record in analysis.records(arm.label).values()]
    versions = code_versions(records)
    if len(versions) > 1:
        lines.append(f"These runs were made by different code: {', '.join(versions)}.")
    configs = [record["config"] for record in records]
    ranks_seen = {bool(config.get("repeatable")) and not config.get("eval_exclude_seen") for config in configs}
    if len(ranks_seen) > 1:
        lines.append(
            "General recommenders rank the items that the user has not seen in training, as RecBole has it; sequential "
            "models rank all items (eval_exclude_seen=True: those that the user has not seen)."
        )
    return lines


def write_report(
    analysis: Analysis, tables: Sequence[Table], found: Sequence[Gain], remarks: Sequence[str]
) -> list[Path]:
    """Write ``tables/`` (Markdown, LaTeX, csv), ``comparison.html`` and ``comparison.svg`` beside the results.

    Args:
        analysis: with at least one run.
        tables: as of :func:`all_tables`.
        found: gains of groups.
        remarks: on the whole comparison.

    Returns:
        The files that a reader wants to open.

    Raises:
        InputError: a file cannot be written.
    """
    from recbole_llmdistill.comparison.report.figure import write_figure
    from recbole_llmdistill.comparison.report.page import render_page

    out = analysis.results.path
    contents = {
        Path(TABLES, "comparison.md"): "\n\n".join([*(table.as_markdown() for table in tables), *remarks]) + "\n",
        Path(TABLES, "comparison.tex"): "\n\n".join(table.as_latex() for table in tables) + "\n",
        **{Path(TABLES, f"{table.name}.csv"): table.as_csv() for table in tables},
        Path("comparison.html"): render_page(analysis, tables, found, remarks),
    }
    try:
        (out / TABLES).mkdir(exist_ok=True)
        for name, content in contents.items():
            with written_atomically(out / name) as temporary:
                temporary.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from error
    files = [out / "comparison.html", out / TABLES / "comparison.md", out / TABLES / "comparison.tex"]
    if write_figure(analysis, out / "comparison.svg"):
        files.append(out / "comparison.svg")
    return files
