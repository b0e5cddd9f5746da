"""The charts of the page, as plotly figures in JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.changes import Change, better_sign
from recbole_llmdistill.comparison.report.gains import Gain
from recbole_llmdistill.comparison.report.tables import digits_of, metric_title

COLORS = {
    "plain": "#666666",
    "distilled": "#0072B2",
    "control": "#E69F00",
    "ablation": "#56B4E9",
    "other": "#009E73",
}
"""Of each kind of arm; Okabe and Ito's colours, which the colour-blind can tell apart."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
_DARK = "#1f2933"


def _finish(figure: go.Figure, height: int, **layout: Any) -> dict:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"family": _FONT, "size": 13, "color": _DARK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        template="none",
        showlegend=False,
        **layout,
    )
    figure.update_xaxes(automargin=True, gridcolor="#e4e8ed", zerolinecolor="#9aa5b1")
    figure.update_yaxes(automargin=True, gridcolor="#e4e8ed", showgrid=False)
    return json.loads(figure.to_json())


def metric_chart(analysis: Analysis, metric: str) -> dict | None:
    """A dot for each seed and a bar for the mean of each arm; None if no arm has the metric."""
    figure = go.Figure()
    arms = [(arm, analysis.means(arm.label, metric)) for arm in analysis.arms]
    arms = [(arm, values) for arm, values in arms if values][::-1]  # plotly draws upwards
    if not arms:
        return None
    form = f".{digits_of(metric)}f"
    for arm, values in arms:
        seeds, means = list(values), list(values.values())
        figure.add_scatter(
            x=means,
            y=[arm.label] * len(means),
            mode="markers",
            marker={"color": COLORS[arm.kind], "size": 9, "opacity": 0.55},
            customdata=seeds,
            hovertemplate=f"{arm.label}, seed %{{customdata}}: %{{x:{form}}}<extra></extra>",
        )
        mean = sum(means) / len(means)
        figure.add_scatter(
            x=[mean],
            y=[arm.label],
            mode="markers",
            marker={"color": COLORS[arm.kind], "symbol": "line-ns", "size": 18, "line": {"width": 3, "color": _DARK}},
            hovertemplate=f"{arm.label}, mean: %{{x:{form}}}<extra></extra>",
        )
    return _finish(figure, 60 + 30 * len(arms), xaxis={"title": {"text": metric_title(metric)}})


def changes_chart(changes: Sequence[Change], kinds: Mapping[str, str]) -> dict:
    """Change against the baseline with its interval, to the right where it is better.

    Args:
        changes: of one metric.
        kinds: label -> kind of arm.
    """
    sign = better_sign(changes[0].metric)
    figure = go.Figure()
    for change in list(changes)[::-1]:
        low, high = change.interval
        figure.add_scatter(
            x=[change.change],
            y=[f"{change.label}<br><span style='font-size:11px'>vs {change.baseline}</span>"],
            mode="markers",
            marker={"color": COLORS[kinds[change.label]], "size": 10},
            error_x={
                "type": "data",
                "array": [high - change.change],
                "arrayminus": [change.change - low],
                "color": COLORS[kinds[change.label]],
            },
            hovertemplate=f"{change.label} against {change.baseline}: %{{x}}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": "#9aa5b1", "width": 1})
    relative = sign > 0
    title = metric_title(changes[0].metric)
    axis = {
        "title": {"text": f"change of {title}" + ("" if relative else " (lower is better)")},
        "tickformat": "+.0%" if relative else "+.2f",
        "autorange": True if relative else "reversed",
    }
    return _finish(figure, 80 + 42 * len(changes), xaxis=axis)


def gains_chart(gains: Sequence[Gain]) -> dict:
    """Gain of each group of one division, with intervals.

    Args:
        gains: of one arm, metric and division.
    """
    form = f"+.{digits_of(gains[0].metric)}f"
    figure = go.Figure(
        go.Scatter(
            x=[f"{gain.group}<br><span style='font-size:11px'>{gain.cases:,} cases</span>" for gain in gains],
            y=[gain.difference for gain in gains],
            mode="markers",
            marker={"color": COLORS["distilled"], "size": 10},
            error_y={
                "type": "data",
                "array": [gain.interval[1] - gain.difference for gain in gains],
                "arrayminus": [gain.difference - gain.interval[0] for gain in gains],
                "color": COLORS["distilled"],
            },
            hovertemplate=f"%{{x}}: %{{y:{form}}}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": "#9aa5b1", "width": 1})
    title = {"title": {"text": f"gain of {metric_title(gains[0].metric)}", "standoff": 14}, "tickformat": form}
    return _finish(figure, 300, xaxis={"title": {"text": gains[0].grouping}, "type": "category"}, yaxis=title)


def validation_chart(analysis: Analysis) -> dict:
    """The metric that picks the epoch after each of them, mean over the seeds that came so far."""
    figure = go.Figure()
    for arm in analysis.arms:
        curves = [record["valid_scores"] for record in analysis.records(arm.label).values()]
        longest = max(map(len, curves), default=0)
        at_epoch = [[curve[epoch] for curve in curves if len(curve) > epoch] for epoch in range(longest)]
        figure.add_scatter(
            x=list(range(longest)),
            y=[sum(values) / len(values) for values in at_epoch],
            mode="lines",
            name=arm.label,
            line={"color": COLORS[arm.kind] if arm.kind in ("plain", "distilled") else None, "width": 2},
        )
    finished = _finish(figure, 380, xaxis={"title": {"text": "validation"}})
    finished["layout"] |= {"showlegend": True, "legend": {"orientation": "h", "y": -0.2, "yanchor": "top"}}
    return finished
