"""The float32 rate that this machine's matrix products reach for the shapes of one training step, as JSON.

The products of a transformer encoder and of the logits over all items, each forward and, for both factors, backward,
with outputs allocated beforehand: what a step would take if it consisted of nothing else.
"""

import argparse
import json
import statistics
import time

import torch


def shapes(rows: int, length: int, targets: int, n_items: int, sizes: dict[str, int]) -> list[tuple[int, ...]]:
    """Products of one step as (batch, m, k, n), with the number of layers folded in by repetition.

    Args:
        rows: sequences in the batch.
        length: mean number of real positions of a sequence.
        targets: positions with a loss.
        n_items: items scored.
        sizes: ``layers``, ``heads``, ``hidden``, ``inner``.
    """
    positions, hidden, inner = rows * length, sizes["hidden"], sizes["inner"]
    head = hidden // sizes["heads"]
    layer = [(1, positions, hidden, hidden)] * 4  # query, key, value, output
    layer += [(rows * sizes["heads"], length, head, length), (rows * sizes["heads"], length, length, head)]
    layer += [(1, positions, hidden, inner), (1, positions, inner, hidden)]
    return layer * sizes["layers"] + [(1, targets, hidden, n_items)]


def forward_and_backward(products: list[tuple[int, ...]]) -> list[tuple[torch.Tensor, ...]]:
    """Factors and output of each product and of its two gradients: y = x w, x' = y' w^T, w' = x^T y'."""
    steps = []
    for batch, m, k, n in products:
        x, w, y = torch.randn(batch, m, k), torch.randn(batch, k, n), torch.randn(batch, m, n)
        steps += [
            (x, w, torch.empty_like(y)),
            (y, w.transpose(1, 2), torch.empty_like(x)),
            (x.transpose(1, 2), y, torch.empty_like(w)),
        ]
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--targets", type=int, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--sizes", type=json.loads, required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    products = shapes(given.rows, given.length, given.targets, given.items, given.sizes)
    flop = 3 * sum(2 * batch * m * k * n for batch, m, k, n in products)
    steps = forward_and_backward(products)
    seconds = []
    begin = time.perf_counter()
    while len(seconds) < 5 or time.perf_counter() - begin < given.seconds:
        start = time.perf_counter()
        for a, b, out in steps:
            torch.bmm(a, b, out=out) if a.shape[0] > 1 else torch.mm(a[0], b[0], out=out[0])
        seconds.append(time.perf_counter() - start)
    rate = flop / statistics.median(seconds[1:])
    print(json.dumps({"flop_per_second": rate, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
