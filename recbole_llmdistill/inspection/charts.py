"""The page's charts, as plotly figures in JSON."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go

from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.inspection.held_out_taste import HeldOutTaste
from recbole_llmdistill.inspection.report import Inspection, Map

# Okabe and Ito's colours, which the colour-blind can tell apart, and some more for long legends.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"),
    *("#8B7500", "#6A3D9A", "#1B9E77", "#A6761D", "#666666", "#B8B8B8"),
)
_GREY, _ACCENT, _DARK = "#b6bec9", "#0072B2", "#4a5563"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def _finish(figure: go.Figure, height: int, **layout: Any) -> dict:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"family": _FONT, "size": 13, "color": "#1f2933"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        template="none",
        **layout,
    )
    figure.update_xaxes(automargin=True, gridcolor="#e4e8ed", zerolinecolor="#e4e8ed")
    figure.update_yaxes(automargin=True, gridcolor="#e4e8ed", zerolinecolor="#e4e8ed")
    return json.loads(figure.to_json())


def taste_chart(taste: HeldOutTaste, of: Entity = USERS) -> dict:
    """Bars of recall: random, popularity, texts, interactions."""
    bars = [
        (f"Random {of.name}", taste.random, _GREY),
        ("Popular items" if of is USERS else "Busy users", taste.popularity, _GREY),
        (f"<b>{of.text.capitalize()}s</b>", taste.profiles, _ACCENT),
        (of.common.capitalize(), taste.interactions, _DARK),
    ][::-1]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[name for name, _, _ in bars],
            x=[recall.mean for _, recall, _ in bars],
            error_x={"type": "data", "array": [recall.half_width for _, recall, _ in bars], "color": "#1f2933"},
            marker_color=[color for _, _, color in bars],
            text=[f" {recall.mean:.3f}" for _, recall, _ in bars],
            textposition="inside",
            insidetextanchor="start",
            textfont={"color": ["#ffffff" if color != _GREY else "#1f2933" for _, _, color in bars]},
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    )
    return _finish(figure, 230, bargap=0.3, xaxis={"rangemode": "tozero"}, yaxis={"showgrid": False})


def histogram(series: dict[str, np.ndarray], title: str, bins: int = 40) -> dict:
    """Overlaid histograms of shares, one bin width for all."""
    values = np.concatenate(list(series.values()))
    low, high = float(values.min()), float(values.max())
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    edges = np.linspace(low, high, bins + 1)
    colors = [_ACCENT] if len(series) == 1 else [_GREY, _ACCENT]
    figure = go.Figure()
    for (name, data), color in zip(series.items(), colors, strict=True):
        share = np.histogram(data, edges)[0] / len(data)
        figure.add_bar(
            x=((edges[:-1] + edges[1:]) / 2).round(4).tolist(),
            y=share.tolist(),
            name=name,
            marker_color=color,
            opacity=0.8,
            hovertemplate=f"{name}: %{{y:.1%}} at %{{x}}<extra></extra>",
        )
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    return _finish(
        figure,
        240,
        barmode="overlay",
        bargap=0.02,
        showlegend=len(series) > 1,
        legend=legend,
        xaxis={"title": {"text": title}},
        yaxis={"tickformat": ".0%"},
    )


def map_data(places: Map) -> dict:
    """Positions, texts and colours of the map; the page draws it, since every choice of colour needs other traces."""
    fields = []
    for field in places.fields:
        if field.numeric:
            values = [None if np.isnan(value) else float(value) for value in field.values]
            fields.append({"name": field.name, "numeric": True, "values": values})
        else:
            names, count = np.unique(field.values, return_counts=True)
            last = {"other": 1, "unknown": 2}  # at the end of the legend, in the greys of the palette
            order = sorted(range(len(names)), key=lambda row: (last.get(str(names[row]), 0), -count[row], names[row]))
            rank = {str(names[row]): position for position, row in enumerate(order)}
            fields.append(
                {
                    "name": field.name,
                    "numeric": False,
                    "names": list(rank),
                    "colors": [
                        PALETTE[-last[name]] if name in last else PALETTE[position % 10]
                        for name, position in rank.items()
                    ],
                    "values": [rank[str(value)] for value in field.values],
                }
            )
    return {
        "x": places.positions[:, 0].round(3).tolist(),
        "y": places.positions[:, 1].round(3).tolist(),
        "users": places.tokens.tolist(),
        "texts": places.texts,
        "fields": fields,
    }


def all_charts(inspection: Inspection) -> dict[str, dict]:
    """Name -> figure, as the page's places for them are named."""
    charts = {
        "taste": taste_chart(inspection.taste, inspection.of),
        "cosines": histogram(
            {
                f"two random {inspection.of.name}": inspection.vectors.pair_cosines,
                "nearest neighbours": inspection.vectors.nearest_cosines,
            },
            "cosine",
        ),
    }
    if inspection.texts is not None:
        charts["lengths"] = histogram({inspection.of.name: inspection.texts.words}, f"words per {inspection.of.noun}")
    return charts
