"""Train some batches of an epoch: of a RecBole model by RecBole's rows and loader, or of the distilled one.

What RecBole needs to run on today's NumPy comes from this package in both cases; anomaly detection, which importing
RecBole's models switches on and this package off, is on for RecBole's. Without distillation: the head costs what
``distillation_overhead.py`` says.
"""

import argparse
import json
import resource
import sys
import time

import torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--batches", type=int, required=True, help="timed ones; one before them is not")
    given = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    import recbole_llmdistill  # noqa: F401  (fixes RecBole)

    ours = given.model.endswith("Distill")
    settings = {
        "state": "ERROR",
        "show_progress": False,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]},
    }
    if ours:
        settings |= {"distill_alpha": 0.0}
    else:
        torch.autograd.set_detect_anomaly(True)
        split = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"}
        settings |= {"eval_args": split, "train_neg_sample_args": None, "train_batch_size": 2048}
    config = Config(given.model, "ml-100k", config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    began = time.perf_counter()
    train_data, _, _ = data_preparation(config, create_dataset(config))
    loading = time.perf_counter() - began
    network = get_model(given.model)(config, train_data._dataset)
    optimizer = get_trainer(config["MODEL_TYPE"], given.model)(config, network).optimizer
    network.train()
    times, last = [], time.perf_counter()
    for number, batch in enumerate(train_data):
        optimizer.zero_grad()
        loss = network.calculate_loss(batch)
        (sum(loss) if isinstance(loss, tuple) else loss).backward()
        optimizer.step()
        now = time.perf_counter()
        times.append(now - last)
        last = now
        if number == given.batches:
            break
    timed = times[1:] or times
    print(
        json.dumps(
            {
                "epoch_seconds": sum(timed) / len(timed) * len(train_data),
                "loading_seconds": loading,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "batches": len(train_data),
                "timed": len(timed),
            }
        )
    )


if __name__ == "__main__":
    main()
