"""Is quality traded for speed? Whole sequences against RecBole's prefix rows, RecTools and RePlay: one metric for all.

    python benchmarks/quality_peers.py --arms whole prefix rectools --rectools-python environments/rectools/bin/python

Leave-one-out, full ranking. All libraries train on the same interactions (``peers/interactions.py``) and are ranked by
the same code (``peers/ranking.py``): RecBole's definition, with seen items left in, as RecBole leaves them, and left
out, as RecTools and RePlay do (``--unseen``). Each evaluation ranks the validation and the test item; the test figures
are those of the evaluation that is best on validation, and training ends after ``--patience`` evaluations without a
gain. Arms: ``whole`` and ``prefix`` are this package without distillation, on whole sequences and on RecBole's rows; an
epoch of both visits each training target once. ``rectools`` and ``replay`` train on each user's last interactions, in
environments of their own (``peers/README.md``).

Finished runs are appended to ``--results`` and not repeated. ``--set ARM KEY=VALUE`` changes a setting of an arm:
RecBole's, or an argument of the other library's model (VALUE is JSON or a string).
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from child import run_child
from peers.interactions import from_recbole

PROGRAMS = {
    "whole": "train_llmdistill.py",
    "prefix": "train_llmdistill.py",
    "rectools": "train_rectools.py",
    "replay": "train_replay.py",
}
OURS = {
    "whole": {"distill_alpha": 0},
    "prefix": {"distill_alpha": 0, "sequence_training": "prefix", "train_batch_size": 2048},
}
KEY = ("dataset", "model", "arm", "seed", "epochs", "evaluate_every", "patience", "settings")


def key(run: dict) -> str:
    """What makes a run the same run."""
    return json.dumps([run[name] for name in KEY], sort_keys=True)


def train(run: dict, python: str, threads: int, interactions: Path, data_settings: dict) -> dict:
    """Train one run in a process of its own; returns it with its evaluations and versions."""
    settings = {**OURS[run["arm"]], **data_settings, **run["settings"]} if run["arm"] in OURS else run["settings"]
    options = ["--interactions", interactions, "--model", run["model"], "--settings", json.dumps(settings)]
    for name in ("seed", "epochs", "evaluate_every", "patience"):
        options += [f"--{name.replace('_', '-')}", run[name]]
    result = run_child(PROGRAMS[run["arm"]], *options, python=python, threads=threads, progress=True)
    return {**run, **{name: result[name] for name in ("targets", "evaluations", "versions")}}


def best(run: dict) -> dict:
    """The evaluation with the best NDCG@10 on validation."""
    return max(run["evaluations"], key=lambda evaluation: evaluation["valid"]["ndcg@10"])


def arm_name(run: dict) -> str:
    """Arm with the settings that were changed."""
    return " ".join([run["arm"], *(f"{name}={value}" for name, value in sorted(run["settings"].items()))])


def table(runs: list[dict], unseen: bool) -> str:
    """Markdown, one line per arm; differences are paired over the seeds that both arms have."""
    from scipy.stats import ttest_rel

    suffix = " unseen" if unseen else ""
    names = list(dict.fromkeys(arm_name(run) for run in runs))
    of_arm = {name: {run["seed"]: run for run in runs if arm_name(run) == name} for name in names}
    reference = next((name for name in names if name.startswith("whole")), names[0])
    lines = [
        f"| arm | seeds | best epoch | targets visited until then | NDCG@10 valid | HR@10 test | NDCG@10 test "
        f"| NDCG@10 test, less {reference} |",
        "|" + "---|" * 8,
    ]
    for name in names:
        chosen = {seed: best(run) for seed, run in of_arm[name].items()}
        cells = [name, str(len(chosen)), f"{statistics.median(e['epoch'] for e in chosen.values()):.0f}"]
        visited = [sum(of_arm[name][seed]["targets"][: e["epoch"]]) for seed, e in chosen.items()]
        cells.append(f"{statistics.median(visited) / 1e6:.2f} million")
        for part, metric in (("valid", "ndcg@10"), ("test", "hr@10"), ("test", "ndcg@10")):
            values = [evaluation[part][metric + suffix] for evaluation in chosen.values()]
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.4f}{spread}")
        shared = sorted(chosen.keys() & of_arm[reference].keys())
        pairs = [
            (chosen[seed]["test"]["ndcg@10" + suffix], best(of_arm[reference][seed])["test"]["ndcg@10" + suffix])
            for seed in shared
        ]
        difference = ""
        if name != reference and pairs:
            difference = f"{statistics.fmean(a - b for a, b in pairs):+.4f}"
            if len(pairs) > 1:
                difference += f" (p = {ttest_rel(*zip(*pairs, strict=True)).pvalue:.3f}, {len(pairs)} seeds)"
        lines.append("| " + " | ".join([*cells, difference]) + " |")
    return "\n".join(lines)


def value_of(text: str):
    """JSON where it is JSON, or else the string itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--data-path", help="RecBole's data_path, the folder above the data set's")
    parser.add_argument("--model", choices=["SASRec", "BERT4Rec"], default="SASRec")
    parser.add_argument("--arms", nargs="+", choices=PROGRAMS, default=["whole", "rectools"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--evaluate-every", type=int, default=1, help="epochs")
    parser.add_argument("--patience", type=int, default=10, help="evaluations")
    parser.add_argument("--threads", type=int, default=1, help="of a run")
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("ARM", "KEY=VALUE"))
    parser.add_argument("--rectools-python", default=sys.executable)
    parser.add_argument("--replay-python", default=sys.executable)
    parser.add_argument("--results", type=Path, default=Path("quality_peers.jsonl"))
    parser.add_argument("--unseen", action="store_true", help="print the metrics without seen items")
    parser.add_argument("--print-only", action="store_true", help="table of all finished runs of this data and model")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process

    lines = arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results.exists() else []
    done = [json.loads(line) for line in lines]
    if arguments.print_only:
        same = [r for r in done if (r["dataset"], r["model"]) == (arguments.dataset, arguments.model)]
        print(table(same, arguments.unseen) if same else "no finished run")
        return
    pythons = {"rectools": arguments.rectools_python, "replay": arguments.replay_python}
    data_settings = {"dataset": arguments.dataset}
    if arguments.data_path:
        data_settings["data_path"] = arguments.data_path
    wanted = []
    for seed in arguments.seeds:
        for arm in arguments.arms:
            changes = dict(change.split("=", 1) for to, change in arguments.set if to == arm)
            run = {
                name: getattr(arguments, name) for name in ("dataset", "model", "epochs", "evaluate_every", "patience")
            }
            wanted.append({**run, "arm": arm, "seed": seed, "settings": {k: value_of(v) for k, v in changes.items()}})
    finished = {key(run) for run in done}
    missing = [run for run in wanted if key(run) not in finished]
    with tempfile.TemporaryDirectory() as folder:
        if missing:
            interactions = Path(folder, "interactions.npz")
            from_recbole(arguments.dataset, data_settings).write(interactions)
        for number, run in enumerate(missing, start=1):
            python = pythons.get(run["arm"], sys.executable)
            done.append(train(run, python, arguments.threads, interactions, data_settings))
            with open(arguments.results, "a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
            reading = best(done[-1])
            print(f"{number}/{len(missing)} {arm_name(run)} seed {run['seed']}: {reading}", file=sys.stderr, flush=True)
    wanted_keys = {key(run) for run in wanted}
    print(table([run for run in done if key(run) in wanted_keys], arguments.unseen))


if __name__ == "__main__":
    main()
