"""Recommend with RecTools' SASRec to users with random sequences, in one call; prints seconds and peak memory."""

import argparse
import json
import time

import numpy as np
import pandas as pd
import torch
from peak_memory import forget_peak, peak_memory
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools import __version__ as version
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("items", "users", "length", "topk"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    seed_everything(0, verbose=False)
    random = np.random.default_rng(0)
    # RecTools knows the items that somebody has: further users have what those who are asked for do not.
    asked = random.integers(given.items, size=(given.users, given.length))
    rest = np.setdiff1d(np.arange(given.items), asked)
    rest = np.pad(rest, (0, -len(rest) % given.length), mode="wrap").reshape(-1, given.length)
    items = np.concatenate([asked, rest])
    users = np.repeat(np.arange(len(items)), given.length)
    times = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.tile(np.arange(given.length), len(items)), unit="s")
    columns = [Columns.User, Columns.Item, Columns.Weight, Columns.Datetime]
    values = [users, items.ravel(), np.ones(items.size, dtype=np.float32), times]
    dataset = Dataset.construct(pd.DataFrame(dict(zip(columns, values, strict=True))))

    def trainer() -> Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        return Trainer(max_steps=1, accelerator="cpu", devices=1, enable_model_summary=False, **quiet)

    model = SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=64,
        session_max_len=50,
        batch_size=16,
        loss="BCE",
        n_negatives=1,
        item_net_block_types=(IdEmbeddingsItemNet,),
        get_trainer_func=trainer,
        recommend_batch_size=256,
    )
    model.fit(dataset)
    forget_peak()
    torch.set_num_threads(1)
    start = time.process_time()
    found = model.recommend(np.arange(given.users), dataset, k=given.topk, filter_viewed=True)
    seconds = time.process_time() - start
    assert len(found) == given.users * given.topk
    print(json.dumps({"seconds": seconds, "memory": peak_memory(), "version": version}))


if __name__ == "__main__":
    main()
