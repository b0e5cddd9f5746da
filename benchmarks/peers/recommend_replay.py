"""RePlay's SasRec, untrained, on random sequences: users recommended to in one call, or its compiled model's latency.

The model is that of ``replay.models.nn``, the one which RePlay compiles (by OpenVINO). ``--batches`` measures the
compiled model: the best items of so many sequences at once, median and 99th percentile in milliseconds.
"""

import argparse
import json
import os
import time
import warnings

import lightning
import numpy as np
import pandas as pd
import torch
from peak_memory import forget_peak, peak_memory
from replay import __version__ as version
from replay.data.nn import PandasSequentialDataset
from replay.models.nn.sequential import SasRec
from replay.models.nn.sequential.callbacks import PandasPredictionCallback
from replay.models.nn.sequential.compiled import SasRecCompiled
from replay.models.nn.sequential.postprocessors import RemoveSeenItems
from replay.models.nn.sequential.sasrec import SasRecPredictionDataset
from torch.utils.data import DataLoader
from train_replay import ITEM, schema_of

WINDOW = 50


def recommend(model: SasRec, given: argparse.Namespace) -> dict:
    """Seconds of work of one call."""
    random = np.random.default_rng(0)
    items = random.integers(given.items, size=(given.users, given.length))
    table = pd.DataFrame({"user_id": np.arange(given.users), ITEM: list(items)})
    sequences = PandasSequentialDataset(model._schema, "user_id", ITEM, table)
    callback = PandasPredictionCallback(
        top_k=given.topk, query_column="user_id", item_column=ITEM, postprocessors=[RemoveSeenItems(sequences)]
    )
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(callbacks=[callback], accelerator="cpu", devices=1, inference_mode=True, **quiet)
    forget_peak()
    start = time.process_time()
    loader = DataLoader(SasRecPredictionDataset(sequences, max_sequence_length=WINDOW), batch_size=256)
    trainer.predict(model, dataloaders=loader, return_predictions=False)
    found = callback.get_result()
    seconds = time.process_time() - start
    assert len(found) == given.users * given.topk
    return {"seconds": seconds}


def latency(model: SasRec, given: argparse.Namespace) -> dict:
    """Milliseconds of the compiled model by the size of a batch."""
    compiled = SasRecCompiled.compile(model, mode="dynamic_batch_size", num_threads=torch.get_num_threads())
    found = {}
    for rows in given.batches:
        items = torch.from_numpy(np.random.default_rng(0).integers(given.items, size=(rows, WINDOW)))
        batch = {
            "query_id": torch.arange(rows)[:, None],
            "padding_mask": torch.ones_like(items, dtype=torch.bool),
            "feature_tensor": {ITEM: items},
        }
        times = []
        end = time.perf_counter() + given.seconds
        while len(times) < given.rounds and (len(times) < 20 or time.perf_counter() < end):
            start = time.perf_counter()
            torch.topk(compiled.predict(dict(batch)), given.topk)
            times.append((time.perf_counter() - start) * 1000)
        times = times[1:]
        found[rows] = {"p50": np.percentile(times, 50), "p99": np.percentile(times, 99), "calls": len(times)}
    return {"batches": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("items", "topk"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("users", "length", "rounds"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seconds", type=float, help="of each size of batch, at most")
    parser.add_argument("--batches", type=int, nargs="+")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # its older model, which alone can be compiled, announces its end
    lightning.seed_everything(0, verbose=False)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    schema = schema_of(given.items, given.items, 64)
    model = SasRec(schema, block_count=2, head_count=2, hidden_size=64, max_seq_len=WINDOW).eval()
    result = latency(model, given) if given.batches else recommend(model, given)
    print(json.dumps({**result, "memory": peak_memory(), "version": version}))


if __name__ == "__main__":
    main()
