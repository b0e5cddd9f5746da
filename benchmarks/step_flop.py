"""How much arithmetic an epoch needs, counted from the sequences that it trains on.

With sequences of n_1, n_2, ... real positions, d the hidden size, f the inner size, V the items scored, T the
positions with a loss, and A the pairs of positions that attend to each other (n (n + 1) / 2 a sequence where attention
is causal, n^2 where it is not), the matrix products of one forward pass take

    layers * (2 * sum(n) * (4 d^2 + 2 d f)  +  4 A d)  +  2 T d V

floating-point operations: query, key, value and output projections, the two halves of the feed-forward part, the scores
and the weighted sum of attention, and the logits. A backward pass takes twice as much. Padding, recomputation, dropout,
activations, normalisation, softmax and the optimizer count nothing: they are what an implementation may save.
"""


def epoch_flop(positions: int, pairs: int, targets: int, n_items: int, layers: int, hidden: int, inner: int) -> int:
    """Floating-point operations of one epoch, forward and backward.

    Args:
        positions: real positions of all sequences, sum(n).
        pairs: pairs of positions that attend to each other, A.
        targets: positions with a loss, T.
        n_items: items scored, V.
        layers: transformer layers.
        hidden: hidden size, d.
        inner: inner size of the feed-forward part, f.
    """
    encoder = layers * (2 * positions * (4 * hidden**2 + 2 * hidden * inner) + 4 * pairs * hidden)
    return 3 * (encoder + 2 * targets * hidden * n_items)
