"""How long one batch takes: the checkpoint in PyTorch, its export in ONNX Runtime, and that with weights of eight bits.

    run_recbole --model=SASRecDistill --dataset=ml-100k && mv saved/SASRecDistill-*.pth model.pth
    python benchmarks/export_latency.py --checkpoint model.pth --items 1682 10000 1000000

The ten best items of random sequences of 50 items, for 1 and for 64 sequences. With another number of items than the
checkpoint's, the encoder is the checkpoint's and the item embeddings are random. The ways take turns, within one
process. With its own number, NDCG@10 of its test part is measured too (full ranking, seen items among them, as in
RecBole's evaluation of sequential models), for which its data set must be there. ``--index`` adds faiss's index: time
of one query and recall@20 against the exact best, by its ``efSearch``. Random vectors are the hardest case for such
an index. ``--replay`` adds RePlay's SasRec of the same sizes (``peers/create_environments.sh``), compiled by OpenVINO.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from child import run_child


def milliseconds(calls: dict, rounds: int, limit: float) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each call, of so many rounds or seconds, in ten blocks that take turns.

    One call by turns would not do: the threads of each library wait busily for a while after a call, and take the cores
    from the next one's.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(10):
        for name, call in calls.items():
            time.sleep(0.1)
            call()
            end = time.perf_counter() + limit / 10 / len(calls)
            for number in range(max(2, rounds // 10)):
                start = time.perf_counter()
                call()
                times[name].append((time.perf_counter() - start) * 1000)
                if number and time.perf_counter() > end:
                    break
    return {
        name: {"p50": float(np.percentile(taken, 50)), "p99": float(np.percentile(taken, 99)), "calls": len(taken)}
        for name, taken in times.items()
    }


def test_ndcg(checkpoint: Path, models: dict) -> dict[str, float]:
    """NDCG@10 on the test part; every user has one item there."""
    from recbole.quick_start import load_data_and_model

    _, _, _, _, _, test_data = load_data_and_model(str(checkpoint))
    dataset = test_data.dataset
    rows = dataset[np.arange(len(dataset))]
    sequences = [
        items[:length]
        for items, length in zip(rows["item_id_list"].tolist(), rows["item_length"].tolist(), strict=True)
    ]
    targets = rows["item_id"].numpy()
    found = {}
    for name, model in models.items():
        gains = []
        for start in range(0, len(sequences), 64):
            scores = np.asarray(model.scores(sequences[start : start + 64], None))
            of_target = scores[np.arange(len(scores)), targets[start : start + 64]]
            rank = (scores > of_target[:, None]).sum(axis=1) + 1
            gains += np.where(rank <= 10, 1 / np.log2(rank + 1), 0).tolist()
        found[name] = float(np.mean(gains))
    return found


def with_index(folder: Path, sequences: list) -> list[dict]:
    """Recall@20 of the index, and the time of the state and a query, for several breadths of its search."""
    import faiss
    import onnxruntime

    with np.load(folder / "item_vectors.npz") as file:
        vectors = file["vectors"]
    graph = onnxruntime.InferenceSession(folder / "user_state.onnx")
    items = np.array(sequences)
    lengths = np.full(len(items), items.shape[1])
    states = graph.run(None, {"items": items, "lengths": lengths})[0]
    scores = states @ vectors[1:].T
    exact = np.argpartition(-scores, 20, axis=1)[:, :20] + 1
    index = faiss.read_index(str(folder / "items.faiss"))
    faiss.omp_set_num_threads(1)
    found = []
    for breadth in (64, 256, 1024):
        parameters = faiss.SearchParametersHNSW(efSearch=breadth)
        _, labels = index.search(states, 20, params=parameters)
        recall = float(np.mean([len(np.intersect1d(*pair)) / 20 for pair in zip(labels, exact, strict=True)]))

        def one(parameters: faiss.SearchParameters = parameters) -> None:
            state = graph.run(None, {"items": items[:1], "lengths": lengths[:1]})[0]
            index.search(state, 20, params=parameters)

        found.append({"efSearch": breadth, "recall@20": recall, **milliseconds({"one": one}, 200, 5)["one"]})
    return found


def measure(n_items: int, folder: Path, arguments: argparse.Namespace) -> dict:
    """All of it, of one size."""
    import torch
    from sized_checkpoint import write_sized

    from recbole_llmdistill import export
    from recbole_llmdistill.exports.exported_model import ExportedModel
    from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel
    from recbole_llmdistill.recommendation.ranking import best

    file = arguments.checkpoint
    own = torch.load(file, weights_only=True)["item_counts"]["counts"].numel() - 1 == n_items
    if not own:
        file = folder / "sized.pth"
        write_sized(arguments.checkpoint, n_items, file)
    start = time.perf_counter()
    export(checkpoint=file, out=folder / "fp32", parts=arguments.index, index="hnsw" if arguments.index else "none")
    seconds = time.perf_counter() - start
    export(checkpoint=file, out=folder / "int8", precision="int8")
    eager = CheckpointModel(file)
    fp32, int8 = (ExportedModel(folder / which, arguments.threads) for which in ("fp32", "int8"))
    result: dict = {"items": n_items, "threads": arguments.threads, "export_seconds": seconds, "batches": {}}
    result["ndcg@10"] = test_ndcg(file, {"PyTorch": eager, "fp32": fp32, "int8": int8}) if own else {}
    result["megabytes"] = [(folder / which / "model.onnx").stat().st_size / 1e6 for which in ("fp32", "int8")]

    def of_rows(rows: int) -> dict:
        sequences = np.random.default_rng(0).integers(1, n_items + 1, (rows, 50)).tolist()
        nothing: list = [[]] * rows
        calls = {
            "PyTorch": lambda: best(eager.scores(sequences, None), 10),
            "ONNX Runtime": lambda: fp32.best(sequences, nothing, 10),
            "int8": lambda: int8.best(sequences, nothing, 10),
        }
        return milliseconds(calls, arguments.rounds, arguments.seconds)

    result["batches"] = {rows: of_rows(rows) for rows in (1, 64)}
    if arguments.replay:
        rounds = ["--rounds", arguments.rounds, "--seconds", arguments.seconds]
        options = ["--items", n_items, "--topk", 10, *rounds, "--batches", *result["batches"]]
        found = run_child("recommend_replay.py", *options, python=arguments.replay, threads=arguments.threads)
        for rows, taken in result["batches"].items():
            taken[f"RePlay {found['version']}, compiled"] = found["batches"][str(rows)]
    if arguments.index:
        queries = np.random.default_rng(1).integers(1, n_items + 1, (64, 50)).tolist()
        result["index"] = with_index(folder / "fp32", queries)
    return result


def print_rows(result: dict) -> None:
    """The lines of the table."""
    ndcg = ", ".join(f"{value:.4f}" for value in result["ndcg@10"].values())
    for rows, taken in result["batches"].items():
        cells = [f"{one['p50']:.2f} / {one['p99']:.2f}" for one in taken.values()]
        tail = [", ".join(f"{size:.1f}" for size in result["megabytes"]), ndcg] if rows == 1 else ["", ""]
        print("|", " | ".join([f"{result['items']:,}", str(rows), *cells, *tail]), "|", flush=True)
    for one in result.get("index", []):
        print(
            f"hnsw of {result['items']:,} items, efSearch {one['efSearch']}: recall@20 {one['recall@20']:.3f}, "
            f"p50 {one['p50']:.2f} ms, p99 {one['p99']:.2f} ms (export with index: {result['export_seconds']:.0f} s)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--items", type=int, nargs="+", default=[1682, 10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20, help="of each size and batch, at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--index", action="store_true", help="with faiss's index")
    parser.add_argument("--replay", help="Python of an environment with RePlay")
    parser.add_argument("--out", type=Path, help="append raw results, a JSON line per size")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads the command line of any process

    import onnxruntime
    import torch

    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {arguments.threads} threads")
    compiled = " RePlay, compiled |" if arguments.replay else ""
    head = (
        f"| items | batch | PyTorch p50 / p99, ms | ONNX Runtime | int8 |{compiled} MB: fp32, int8 | NDCG@10 of three |"
    )
    print(head + "\n" + "|---" * (head.count("|") - 1) + "|")
    with tempfile.TemporaryDirectory() as name:
        for n_items in arguments.items:
            folder = Path(name, str(n_items))
            folder.mkdir()
            result = measure(n_items, folder, arguments)
            print_rows(result)
            if arguments.out:
                with open(arguments.out, "a") as out:
                    out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
