"""The figure for a README or a paper: changes against the baseline, as svg."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recbole_llmdistill.comparison.measures import NLL
from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.changes import Change
from recbole_llmdistill.comparison.report.charts import COLORS
from recbole_llmdistill.comparison.report.tables import metric_title
from recbole_llmdistill.files.atomic_write import written_atomically


def write_figure(analysis: Analysis, path: Path) -> bool:
    """Draw the figure; the same bytes from the same results.

    Returns:
        Whether it was drawn: not without matplotlib (``pip install 'recbole-llmdistill[plot]'``), nor without changes.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return False
    pairs = analysis.against_baselines()
    panels = [analysis.changes(pairs, metric) for metric in analysis.plan.headline]
    panels = [changes for changes in panels if changes]
    if not panels:
        return False
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    labels = list(dict.fromkeys(change.label for changes in panels for change in changes))[::-1]
    with mpl.rc_context({"svg.hashsalt": "fixed"}):
        size = (3.0 + 2.6 * len(panels), 1.0 + 0.34 * len(labels))
        figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
        kinds = {arm.label: arm.kind for arm in analysis.arms}
        for axis, changes in zip(axes[0], panels, strict=True):
            _draw(axis, changes, labels, kinds)
        seeds = f"{len(analysis.plan.seeds)} seed{'s' * (len(analysis.plan.seeds) > 1)}"
        title = f"{analysis.plan.dataset}: change against the baseline, {seeds}, 95 % intervals"
        figure.suptitle(title, fontsize=10)
        with written_atomically(path) as temporary:
            figure.savefig(temporary, metadata={"Date": None})
        plt.close(figure)
    return True


def _draw(axis: Any, changes: list[Change], labels: list[str], kinds: Mapping[str, str]) -> None:
    scale = 1 if changes[0].metric == NLL else 100
    for change in changes:
        low, high = change.interval
        axis.errorbar(
            scale * change.change,
            labels.index(change.label),
            xerr=[[scale * (change.change - low)], [scale * (high - change.change)]],
            fmt="o",
            markersize=5,
            capsize=2,
            color=COLORS[kinds[change.label]],
        )
    axis.axvline(0, color="#9aa5b1", linewidth=1, zorder=0)
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.set_ylim(-0.6, len(labels) - 0.4)
    axis.tick_params(axis="x", labelsize=8)
    title = metric_title(changes[0].metric)
    if changes[0].metric == NLL:
        axis.invert_xaxis()  # to the right is better in every panel
    axis.set_xlabel(f"{title}, lower is better" if changes[0].metric == NLL else f"{title}, %", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.25)
