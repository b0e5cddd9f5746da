"""Training targets per second on a GPU: SASRecDistill against PyTorch alone, RecTools and RePlay, of one size.

    python benchmarks/gpu_training.py --rectools-python environments/rectools/bin/python \\
        --replay-python environments/replay/bin/python          # the shape of MovieLens-20M
    python benchmarks/gpu_training.py --users 200 --items 300 --interactions 20000 --hidden 32 --epochs 2   # smoke test

No figures exist yet: this script has run on CPUs alone, at the size of its smoke test. It is ready for whoever has a
GPU. Interactions are made up, with item popularity as uneven as real ones; 4 layers, hidden size 256, sequences of 200,
bfloat16 autocast (RecBole's ``enable_amp``, which alone would take float16 on a GPU), AdamW. The plain loop is what one
writes by hand: histories cut into windows without overlap and kept on the device, PyTorch's own transformer layers,
cross-entropy over all items at all positions. SASRecDistill trains by RecBole's trainer with its data loader, without
distillation. Both are timed in turn, by epochs, the first of which is not counted. RecTools and RePlay follow, in
environments of their own (``peers/README.md``; theirs need a PyTorch with CUDA), with bfloat16 by Lightning; they train
on each user's last interactions alone, so compare targets per second.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from child import run_child
from peers.interactions import Interactions
from torch import nn
from torch.nn import functional as F


def write_interactions(folder: Path, users: int, items: int, interactions: int) -> None:
    """``synthetic.inter``: interactions of every user in the order of time, items by a power law."""
    import polars

    random = np.random.default_rng(0)
    user = np.sort(np.concatenate([np.arange(users), random.integers(0, users, interactions - users)]))
    item = (items ** random.random(interactions)).astype(np.int64)
    folder.mkdir(parents=True)
    columns = {"user_id:token": user, "item_id:token": item, "timestamp:float": np.arange(interactions)}
    polars.DataFrame(columns).write_csv(folder / "synthetic.inter", separator="\t")


class PlainSASRec(nn.Module):
    """Item and position embeddings, PyTorch's transformer layers with a causal mask, scores by the item embeddings."""

    def __init__(self, n_items: int, length: int, hidden: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items, hidden, padding_idx=0)
        self.positions = nn.Parameter(torch.zeros(length, hidden))
        layer = nn.TransformerEncoderLayer(hidden, heads, 4 * hidden, dropout, "gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(length))
        nn.init.normal_(self.items.weight, std=0.02)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Loss of ``windows [B, L + 1]``, padded by 0 at their ends."""
        sequences, targets = windows[:, :-1], windows[:, 1:]
        states = self.layers(self.dropout(self.items(sequences) + self.positions), mask=self.causal, is_causal=True)
        logits = states @ self.items.weight.T
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=0)


class PlainLoop:
    """The loop written by hand, over the training part that RecBole has split."""

    def __init__(self, training_part, device: torch.device, arguments: argparse.Namespace) -> None:
        first, end = training_part.training_ranges()
        items = training_part.sorted_interactions["item_id"]
        ranges = [(s, min(s + arguments.length + 1, e)) for b, e in zip(first, end, strict=True)
                  for s in range(b, e - 1, arguments.length)]  # fmt: skip
        windows = nn.utils.rnn.pad_sequence([items[s:e] for s, e in ranges], batch_first=True)
        self.windows = F.pad(windows, (0, arguments.length + 1 - windows.size(1))).to(device)
        self.targets = int((self.windows[:, 1:] > 0).sum())
        self.batch, self.device = arguments.batch, device
        sizes = (arguments.hidden, arguments.layers, arguments.heads, arguments.dropout)
        self.model = PlainSASRec(training_part.item_num, arguments.length, *sizes).to(device).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)

    def epoch(self) -> None:
        order = torch.randperm(len(self.windows), device=self.device)
        for rows in order.split(self.batch):
            self.optimizer.zero_grad()
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = self.model(self.windows[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
            self.optimizer.step()


class Ours:
    """SASRecDistill by RecBole's own steps, one epoch of its trainer at a time."""

    def __init__(self, config, train_data) -> None:
        from recbole.utils import get_trainer

        from recbole_llmdistill.data.dataset import target_list_field
        from recbole_llmdistill.model.sasrecdistill import SASRecDistill

        torch.set_autocast_dtype(config["device"].type, torch.bfloat16)
        model = SASRecDistill(config, train_data._dataset).to(config["device"])
        self.trainer = get_trainer(config["MODEL_TYPE"], "SASRecDistill")(config, model)
        self.train_data = train_data
        self.targets = sum(int((batch[target_list_field(config)] > 0).sum()) for batch in train_data)
        self.epochs_done = 0

    def epoch(self) -> None:
        self.trainer._train_epoch(self.train_data, self.epochs_done)
        self.epochs_done += 1


def train_peers(training_part, device: torch.device, arguments: argparse.Namespace) -> dict[str, dict]:
    """What the training programs of the other libraries report, by library."""
    sizes = {name: getattr(arguments, name) for name in ("hidden", "layers", "heads", "length", "batch")}
    sizes["inner"] = 4 * arguments.hidden
    peers = [
        (arguments.rectools_python, "train_rectools.py", {"dropout_rate": arguments.dropout, "wide": True}),
        (arguments.replay_python, "train_replay.py", {"dropout": arguments.dropout}),
    ]
    rows = training_part.sorted_interactions
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "interactions.npz")
        Interactions(rows["user_id"].numpy(), rows["item_id"].numpy(), training_part.item_num).write(file)
        options = ["--interactions", file, "--epochs", arguments.epochs, "--sizes", json.dumps(sizes)]
        options += ["--precision", "bf16-mixed", "--accelerator", "gpu" if device.type == "cuda" else "cpu"]
        for python, program, settings in peers:
            if python:
                result = run_child(program, *options, "--settings", json.dumps(settings), python=python)
                results[result["versions"]["library"]] = result
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"users": 138_493, "items": 26_744, "interactions": 20_000_263}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in {"hidden": 256, "layers": 4, "heads": 4, "length": 200, "batch": 256, "epochs": 4}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument(
        "--rectools-python", help="interpreter of RecTools' environment; without it RecTools is left out"
    )
    parser.add_argument("--replay-python", help="the same of RePlay")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    import recbole_llmdistill  # noqa: F401  (registers the models)

    settings = {
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "n_layers": arguments.layers, "n_heads": arguments.heads, "hidden_size": arguments.hidden,
        "inner_size": 4 * arguments.hidden, "MAX_ITEM_LIST_LENGTH": arguments.length,
        "train_batch_size": arguments.batch, "hidden_dropout_prob": arguments.dropout,
        "attn_dropout_prob": arguments.dropout, "learner": "adamw", "enable_amp": True, "distill_alpha": 0.0,
        "show_progress": False, "state": "ERROR",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        write_interactions(Path(folder, "synthetic"), arguments.users, arguments.items, arguments.interactions)
        config = Config("SASRecDistill", "synthetic", config_dict={**settings, "data_path": folder})
        train_data, _, _ = data_preparation(config, create_dataset(config))
    device = config["device"]
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU ({platform.machine()})"
    print(f"{name}, torch {torch.__version__}; {arguments}\n")
    loops = {
        "plain PyTorch": PlainLoop(train_data._dataset, device, arguments),
        "SASRecDistill": Ours(config, train_data),
    }
    seconds: dict[str, list[float]] = {loop: [] for loop in loops}
    peak = dict.fromkeys(loops, 0.0)
    for _ in range(arguments.epochs):
        for label, loop in loops.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            loop.epoch()
            if device.type == "cuda":
                torch.cuda.synchronize()
                peak[label] = torch.cuda.max_memory_allocated() / 2**20
            seconds[label].append(time.perf_counter() - start)
    print("| | seconds per epoch (median) | targets | targets/s | GPU memory, MiB |\n|---|---|---|---|---|")
    for label, loop in loops.items():
        print(row(label, seconds[label], loop.targets, peak[label]))
    training_part = train_data._dataset
    loops.clear()  # the GPU is the others' now
    if device.type == "cuda":
        torch.cuda.empty_cache()
    for label, result in train_peers(training_part, device, arguments).items():
        print(row(label, result["seconds"], result["targets"][-1], result["gpu_peak_mib"]))


def row(label: str, seconds: list[float], targets: int, peak: float) -> str:
    """A line of the table; the first epoch is not counted."""
    median = statistics.median(seconds[1:] or seconds)
    return f"| {label} | {median:.2f} | {targets:,} | {targets / median:,.0f} | {peak:.0f} |"


if __name__ == "__main__":
    main()
