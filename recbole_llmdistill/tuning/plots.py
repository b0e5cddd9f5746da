"""One HTML page of a search, which needs no network: trials over time, learning curves, parallel coordinates."""

import html
import math
from typing import Any

import plotly.graph_objects as go

from recbole_llmdistill.tuning.progress import shown
from recbole_llmdistill.tuning.records import EPOCHS, Trial
from recbole_llmdistill.tuning.space import Choice, LogUniform, Space

_COLOURS = {"finished": "#1f77b4", "stopped": "#ff7f0e", "out of time": "#9467bd", "failed": "#d62728"}


def search_page(title: str, metric: str, bigger: bool, trials: list[Trial], space: Space) -> str:
    """The page.

    Args:
        title: heading.
        metric: name of the validation metric.
        bigger: whether a bigger metric is better.
        trials: of the search, those that have an evaluation or failed.
        space: of the search.
    """
    charts = [over_time(trials, metric, bigger), learning_curves(trials, metric), parallel(trials, metric, space)]
    parts = [
        chart.to_html(full_html=False, include_plotlyjs=number == 0, div_id=f"chart-{number}")
        for number, chart in enumerate(charts)
    ]
    title = html.escape(title)
    head = f'<meta charset="utf-8"><title>{title}</title><style>body{{font-family:sans-serif;margin:2em}}</style>'
    return f"<!DOCTYPE html><html><head>{head}</head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"


def over_time(trials: list[Trial], metric: str, bigger: bool) -> go.Figure:
    """Best validation metric of each trial in the order they were drawn, and of all up to it."""
    figure = go.Figure()
    for status, colour in _COLOURS.items():
        some = [trial for trial in trials if trial.status == status and trial.last]
        if some:
            figure.add_scatter(
                x=[trial.number for trial in some],
                y=[trial.score for trial in some],
                text=[_values_text(trial) for trial in some],
                mode="markers",
                marker={"color": colour, "size": 9},
                name=status,
            )
    best, numbers, scores = None, [], []
    for trial in trials:
        if trial.last and trial.status != "failed":
            score = trial.score
            best = score if best is None else (max if bigger else min)(best, score)
            numbers.append(trial.number)
            scores.append(best)
    figure.add_scatter(x=numbers, y=scores, mode="lines", line={"shape": "hv", "color": "#888"}, name="best so far")
    return _titled(figure, "Trials over time", "trial", f"best validation {metric}")


def learning_curves(trials: list[Trial], metric: str) -> go.Figure:
    """Validation metric of each trial after each evaluation; where a curve ends, the trial was stopped."""
    figure = go.Figure()
    for trial in trials:
        if trial.evaluations:
            figure.add_scatter(
                x=[evaluation[EPOCHS] for evaluation in trial.evaluations],
                y=[evaluation["score"] for evaluation in trial.evaluations],
                mode="lines+markers",
                marker={"size": 3},
                line={"color": _COLOURS.get(trial.status, "#888"), "width": 1},
                name=f"trial {trial.number} ({trial.status})",
            )
    return _titled(figure, "Learning curves", "epoch", f"validation {metric}")


def parallel(trials: list[Trial], metric: str, space: Space) -> go.Figure:
    """A line per trial through its settings to its metric."""
    some = [trial for trial in trials if trial.last]
    scores = [trial.score for trial in some]
    dimensions = [_axis(key, space, [trial.values[key] for trial in some]) for key in space.distributions]
    dimensions.append({"label": f"valid {metric}", "values": scores})
    line = {"color": scores, "colorscale": "Viridis", "showscale": True}
    return _titled(go.Figure(go.Parcoords(line=line, dimensions=dimensions)), "Parallel coordinates")


def _axis(key: str, space: Space, values: list[Any]) -> dict[str, Any]:
    distribution = space.distributions[key]
    if isinstance(distribution, Choice):
        ticks: list[float] = list(range(len(distribution.values)))
        texts = [shown(value) for value in distribution.values]
        at = [distribution.values.index(value) for value in values]
        return {"label": key, "values": at, "tickvals": ticks, "ticktext": texts, "range": [-0.5, len(ticks) - 0.5]}
    if isinstance(distribution, LogUniform):
        low, high = math.log10(distribution.low), math.log10(distribution.high)
        ticks = [low + (high - low) * step / 4 for step in range(5)]
        texts = [f"{10**tick:.2g}" for tick in ticks]
        logarithms = [math.log10(value) for value in values]
        return {"label": key, "values": logarithms, "tickvals": ticks, "ticktext": texts, "range": [low, high]}
    return {"label": key, "values": values, "range": [distribution.low, distribution.high]}


def _values_text(trial: Trial) -> str:
    return "<br>".join(f"{key}={shown(value)}" for key, value in trial.values.items())


def _titled(figure: go.Figure, title: str, x: str | None = None, y: str | None = None) -> go.Figure:
    return figure.update_layout(title=title, xaxis_title=x, yaxis_title=y, template="plotly_white", height=520)
