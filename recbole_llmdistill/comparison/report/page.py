"""The HTML page of a comparison: one file that needs no network."""

from collections.abc import Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from recbole_llmdistill.comparison.report import charts
from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.gains import Gain
from recbole_llmdistill.comparison.report.table import Table


def render_page(analysis: Analysis, tables: Sequence[Table], gains: Sequence[Gain], notes: Sequence[str]) -> str:
    """The page.

    Args:
        analysis: with at least one run.
        tables: to be shown below the charts.
        gains: of groups.
        notes: remarks on the whole comparison.
    """
    environment = Environment(
        loader=PackageLoader("recbole_llmdistill.comparison.report", ""), autoescape=True, undefined=StrictUndefined
    )
    sections = _sections(analysis, gains)
    return environment.get_template("page.html").render(
        dataset=analysis.plan.dataset,
        cases=len(analysis.held_out.users),
        users=len(set(analysis.held_out.users.tolist())),
        items=len(analysis.held_out.item_tokens),
        seeds=len(analysis.plan.seeds),
        arms=len(analysis.arms),
        sections=[(title, list(figures)) for title, figures in sections],
        charts={name: figure for _, figures in sections for name, figure in figures.items()},
        tables=tables,
        notes=notes,
        plotly=get_plotlyjs(),
    )


def _sections(analysis: Analysis, gains: Sequence[Gain]) -> list[tuple[str, dict[str, dict]]]:
    """Title of each section of charts, and its charts by name."""
    kinds = {arm.label: arm.kind for arm in analysis.arms}
    pairs = analysis.against_baselines()
    seeds = {f"seeds-{n}": charts.metric_chart(analysis, name) for n, name in enumerate(analysis.plan.headline)}
    changes = {f"changes-{n}": analysis.changes(pairs, name) for n, name in enumerate(analysis.plan.headline)}
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
    sections.append(("Validation, mean over seeds", {"validation": charts.validation_chart(analysis)}))
    return [(title, figures) for title, figures in sections if figures]
