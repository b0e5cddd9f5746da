"""The tables of a comparison: accuracy, changes with significance, costs, what is recommended."""

import statistics
from collections.abc import Sequence

from recbole_llmdistill.comparison.measures import BATCH_SIZES, LIST_LENGTH, NLL
from recbole_llmdistill.comparison.report.analysis import Analysis
from recbole_llmdistill.comparison.report.changes import Change
from recbole_llmdistill.comparison.report.table import Cell, Column, Table

EMPTY = Cell("")
_NAMES = {"ndcg": "NDCG", "recall": "Recall", "mrr": "MRR", "hit": "Hit", "map": "MAP", "precision": "Precision"}
NLL_NOTE = (
    "NLL: mean negative log-likelihood of the held-out item, of models trained with cross-entropy; lower is better."
)


def metric_title(metric: str) -> str:
    """Name of a metric as papers write it."""
    name, at, k = metric.partition("@")
    return "NLL" if metric == NLL else _NAMES.get(name, name) + at + k


def digits_of(metric: str) -> int:
    """Decimal places of a metric."""
    return 3 if metric == NLL else 4


def mean_and_spread(values: Sequence[float], digits: int) -> Cell:
    """Mean and standard deviation over seeds."""
    if not values:
        return EMPTY
    mean, spread = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")
    text = f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if len(values) > 1 else "")
    return Cell(text, (mean, spread))


def accuracy_table(analysis: Analysis, metrics: Sequence[str], name: str = "accuracy") -> Table:
    """Mean and standard deviation over seeds of each metric on the test part."""
    columns = [Column("model")]
    for metric in metrics:
        title = metric_title(metric)
        columns.append(Column(title, (title, f"{title} sd"), "lowest" if metric == NLL else "highest"))
    columns.append(Column("seeds", ("seeds",)))
    better = {metric: analysis.significant(metric) for metric in metrics}
    rows = []
    for arm in analysis.arms:
        cells = [Cell(arm.label)]
        for metric in metrics:
            cell = mean_and_spread(list(analysis.means(arm.label, metric).values()), digits_of(metric))
            cells.append(Cell(cell.text, cell.numbers, "*" if arm.label in better[metric] and cell.text else ""))
        count = len(analysis.records(arm.label))
        rows.append([*cells, Cell(f"{count}", (count,))])
    notes = ["* better than its baseline, paired t-test over users, p < .05 after Holm's correction over the models."]
    if NLL in metrics:
        notes.append(NLL_NOTE)
    notes += [f"{label}: no result ({reason})." for label, reason in analysis.failures.items()]
    return Table(
        name, f"{analysis.plan.dataset}, test part: mean ± standard deviation over seeds", columns, rows, notes
    )


def changes_table(analysis: Analysis) -> Table:
    """Each arm against its baseline."""
    pairs = analysis.against_baselines()
    return _changes(analysis, pairs, "changes", "Change against the baseline")


def controls_table(analysis: Analysis) -> Table | None:
    """Each distilled model against its controls: what is knowledge, and what regularisation; None without controls."""
    pairs = [
        (arm.label, control.label)
        for arm in analysis.arms
        if arm.kind == "distilled"
        for control in analysis.arms
        if control.kind == "control" and control.model == arm.model
    ]
    if not pairs:
        return None
    return _changes(analysis, pairs, "controls", "Distilled against its controls: what the knowledge adds")


def _changes(analysis: Analysis, pairs: Sequence[tuple[str, str]], name: str, title: str) -> Table:
    columns = [
        *(Column("model"), Column("against"), Column("metric")),
        Column("change", ("change", "change low", "change high")),
        *(Column("seeds better"), Column("p, t-test", ("p t-test",)), Column("p, Wilcoxon", ("p Wilcoxon",))),
    ]
    rows = []
    for metric in analysis.plan.headline:
        for change in analysis.changes(pairs, metric):
            rows.append([Cell(change.label), Cell(change.baseline), Cell(metric_title(metric)), *_cells(change)])
    notes = [
        "Change of the mean, in percent but for NLL, with 95 % bootstrap interval over users and seeds; p-values are "
        "paired, over users (their mean over seeds), two-sided, after Holm's correction over the rows of one metric.",
    ]
    return Table(name, title, columns, rows, notes)


def _cells(change: Change) -> list[Cell]:
    low, high = change.interval
    if change.metric == NLL:
        text = f"{change.change:+.3f} [{low:+.3f}, {high:+.3f}]"
    else:
        text = f"{change.change:+.1%} [{low:+.1%}, {high:+.1%}]"
    return [
        Cell(text, (change.change, low, high)),
        Cell(f"{change.seeds_better} of {change.seeds}"),
        Cell(_p(change.t_test), (change.t_test,)),
        Cell(_p(change.wilcoxon), (change.wilcoxon,)),
    ]


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1) if value < 1 else "1"


def costs_table(analysis: Analysis) -> Table:
    """Medians over seeds of what training and answering took."""
    small, large = BATCH_SIZES
    columns = [
        Column("model"),
        Column("s/epoch", ("seconds per epoch",)),
        Column("epochs", ("epochs",)),
        Column("best epoch", ("best epoch",)),
        Column("total s", ("seconds",)),
        Column("memory MiB", ("peak memory MiB",)),
        Column("parameters", ("parameters",)),
        *(Column(f"ms, {n} user{'s' * (n > 1)}", (f"ms for {n} users",)) for n in (small, large)),
    ]
    rows, sides, devices = [], set(), set()
    for arm in analysis.arms:
        records = list(analysis.records(arm.label).values())
        sides |= {record["side_by_side"] for record in records}
        devices |= {(record["device"], record["threads"]) for record in records}
        figures = [
            ([record["epoch_seconds"] for record in records], 2),
            ([record["epochs"] for record in records], 0),
            ([record["best_epoch"] for record in records], 0),
            ([record["seconds"] for record in records], 1),
            ([record["peak_memory_mib"] for record in records], 0),
            ([record["parameters"] for record in records], 0),
            ([record["latency_ms"][str(small)] for record in records], 2),
            ([record["latency_ms"][str(large)] for record in records], 1),
        ]
        rows.append([Cell(arm.label), *(_median(values, digits) for values, digits in figures)])
    notes = [
        "Medians over seeds. s/epoch: training alone; total: from the start of loading to the test; memory: peak of "
        "the whole process; ms: all items scored for a batch of users.",
        "Measured on " + ", ".join(f"{device} with {threads} threads" for device, threads in sorted(devices)) + ".",
    ]
    if sides - {1}:
        notes.append(
            "Runs were made side by side, which makes each of them slower: use --jobs 1 for times to be quoted."
        )
    return Table("costs", "What it costs", columns, rows, notes if devices else notes[:1])


def _median(values: Sequence[float | None], digits: int) -> Cell:
    known = [value for value in values if value is not None]
    if not known:
        return EMPTY
    median = statistics.median(known)
    return Cell(f"{median:,.{digits}f}", (median,))


def beyond_accuracy_table(analysis: Analysis) -> Table:
    """Coverage, Gini index, average popularity."""
    columns = [Column("model")]
    titles = {"coverage": "coverage", "gini": "Gini", "average_popularity": "average popularity"}
    columns += [Column(title, (title, f"{title} sd")) for title in titles.values()]
    rows = []
    for arm in analysis.arms:
        records = analysis.records(arm.label).values()
        lists = [[record["beyond_accuracy"][name] for record in records] for name in titles]
        rows.append([Cell(arm.label), *(mean_and_spread(v, d) for v, d in zip(lists, (3, 3, 1), strict=True))])
    notes = [
        f"Of the {LIST_LENGTH} items recommended to each. Coverage: share of all items that anybody sees; Gini: 0 if "
        "all are shown alike; average popularity: training interactions of a recommended item."
    ]
    return Table("beyond_accuracy", "What is recommended", columns, rows, notes)
