"""How much faster than RecBole does an epoch train? SASRec and SASRecDistill, or BERT4Rec and its counterpart, in turn.

    python benchmarks/training_speed.py --models SASRec SASRecDistill --rounds 3

Every model is trained on MovieLens-100K with RecBole's default split and the same layers (2 layers, hidden size 64,
inner size 256, at most 50 items), in a process of its own, on all cores; RecBole's models on the prefix rows that it
makes, ours on whole sequences with the distillation loss on. The rounds are interleaved. Training alone is timed, and
the peak resident memory is that of the whole process, with the data set. RecBole's epoch takes minutes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

SETTINGS = {
    "SASRec": {"train_neg_sample_args": None, "train_batch_size": 2048},
    "BERT4Rec": {"train_neg_sample_args": None, "train_batch_size": 2048},
    "SASRecDistill": {"distill_epochs": 10**6},
    "BERT4RecDistill": {"distill_epochs": 10**6},
}


def measure(model: str, epochs: int) -> None:
    """Train in this process and print, as JSON, seconds of each epoch and the peak resident memory in MiB."""
    import resource
    import time

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill  # noqa: F401  (registers the models)

    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    config = Config(model, "ml-100k", config_dict={"state": "ERROR", "show_progress": False, **SETTINGS[model]})
    init_seed(config["seed"], config["reproducibility"])
    train_data, _, _ = data_preparation(config, create_dataset(config))
    network = get_model(model)(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], model)(config, network)
    trainer.epochs = epochs
    seconds: list[float] = []
    train_epoch = trainer._train_epoch

    def timed(*arguments, **options):
        start = time.perf_counter()
        losses = train_epoch(*arguments, **options)
        seconds.append(time.perf_counter() - start)
        return losses

    trainer._train_epoch = timed
    trainer.fit(train_data, saved=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SETTINGS, default=["SASRec", "SASRecDistill"])
    parser.add_argument("--rounds", type=int, default=3, help="processes a model, in turn")
    parser.add_argument("--measure", choices=SETTINGS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        # The first epoch of ours pays for warming up; RecBole's is too long to repeat.
        measure(arguments.measure, epochs=4 if arguments.measure.endswith("Distill") else 1)
        return

    runs: dict[str, list[dict]] = {model: [] for model in arguments.models}
    for number in range(arguments.rounds):
        for model in arguments.models:
            command = [sys.executable, __file__, "--measure", model]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            runs[model].append(json.loads(output.splitlines()[-1]))
            print(f"round {number + 1}: {model} {runs[model][-1]}", file=sys.stderr)

    import torch
    from recbole import __version__ as recbole_version

    print(f"{os.cpu_count()} cores, {platform.machine()}, torch {torch.__version__}, RecBole {recbole_version}\n")
    print("| model | seconds an epoch (median; min to max) | times faster | peak memory, MiB |\n|---|---|---|---|")
    medians = {model: statistics.median(s for run in runs[model] for s in run["seconds"][-3:]) for model in runs}
    for model, results in runs.items():
        seconds = [s for run in results for s in run["seconds"][-3:]]
        peak = statistics.median(run["peak_mib"] for run in results)
        print(
            f"| {model} | {medians[model]:.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
            f"| {medians[arguments.models[0]] / medians[model]:.1f} | {peak:.0f} |"
        )


if __name__ == "__main__":
    main()
