"""The HTML page of a comparison: one file that needs no network."""

from collections.abc import Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from recbole_llmdistill.comparison.comparison import Comparison
from recbole_llmdistill.comparison.report import charts
from recbole_llmdistill.comparison.report.changes import changes_of
from recbole_llmdistill.comparison.report.gains import Gain
from recbole_llmdistill.comparison.report.table import Table


def render_page(comparison: Comparison, tables: Sequence[Table], gains: Sequence[Gain], notes: Sequence[str]) -> str:
    """The page.

    Args:
        comparison: with at least one run.
        tables: to be shown below the charts.
        gains: of groups.
        notes: remarks on the whole comparison.
    """
    environment = Environment(
        loader=PackageLoader("recbole_llmdistill.comparison", ""), autoescape=True, undefined=StrictUndefined
    )
    sections = _sections(comparison, gains)
    return environment.get_template("page.html").render(
        dataset=comparison.folder.dataset,
        cases=len(comparison.held_out.users),
        users=len(set(comparison.held_out.users.tolist())),
        items=len(comparison.held_out.item_tokens),
        seeds=len(comparison.seeds),
        arms=len(comparison.arms),
        sections=[(title, list(figures)) for title, figures in sections],
        charts={name: figure for _, figures in sections for name, figure in figures.items()},
        tables=tables,
        notes=notes,
        plotly=get_plotlyjs(),
    )


def _sections(comparison: Comparison, gains: Sequence[Gain]) -> list[tuple[str, dict[str, dict]]]:
    """Title of each section of charts, and its charts by name."""
    kinds = {arm.label: arm.kind for arm in comparison.arms}
    pairs = [(arm.label, arm.baseline) for arm in comparison.arms if arm.baseline is not None]
    seeds = {f"seeds-{n}": charts.metric_chart(comparison, name) for n, name in enumerate(comparison.headline)}
    changes = {f"changes-{n}": changes_of(comparison, pairs, name) for n, name in enumerate(comparison.headline)}
    sections = [
        ("Every seed, and the mean", {name: figure for name, figure in seeds.items() if figure is not None}),
        (
            "Change against the baseline, 95 % interval over users and seeds",
            {name: charts.changes_chart(found, kinds) for name, found in changes.items() if found},
        ),
    ]
    by_arm = groupby(gains, key=lambda gain: (gain.label, gain.baseline))
    for number, ((label, baseline), of_arm) in enumerate(by_arm):
        divisions = groupby(of_arm, key=lambda gain: (gain.metric, gain.grouping))
        figures = {f"gains-{number}-{n}": charts.gains_chart(list(group)) for n, (_, group) in enumerate(divisions)}
        sections.append((f"Who gains: {label} against {baseline}", figures))
    sections.append(("Validation, mean over seeds", {"validation": charts.validation_chart(comparison)}))
    return [(title, figures) for title, figures in sections if figures]
