"""The arithmetic that an epoch is said to need, against what PyTorch counts in RecBole's own layers."""

import torch
from matmul_rate import forward_and_backward, shapes
from recbole.model.layers import TransformerEncoder
from step_flop import epoch_flop
from torch.utils.flop_counter import FlopCounterMode

SIZES = {"layers": 2, "heads": 2, "hidden": 16, "inner": 48}
ROWS, LENGTH, ITEMS = 3, 10, 70


def test_epoch_flop_is_what_pytorch_counts() -> None:
    encoder = TransformerEncoder(
        n_layers=SIZES["layers"],
        n_heads=SIZES["heads"],
        hidden_size=SIZES["hidden"],
        inner_size=SIZES["inner"],
        hidden_dropout_prob=0.0,
        attn_dropout_prob=0.0,
        hidden_act="gelu",
        layer_norm_eps=1e-12,
    )
    inputs = torch.randn(ROWS, LENGTH, SIZES["hidden"], requires_grad=True)  # the embeddings need a gradient, too
    items = torch.randn(ITEMS, SIZES["hidden"], requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        states = encoder(inputs, torch.zeros(ROWS, 1, LENGTH, LENGTH), output_all_encoded_layers=False)[-1]
        (states.view(-1, SIZES["hidden"]) @ items.T).sum().backward()
    counted = epoch_flop(
        positions=ROWS * LENGTH,
        pairs=ROWS * LENGTH**2,
        targets=ROWS * LENGTH,
        n_items=ITEMS,
        layers=SIZES["layers"],
        hidden=SIZES["hidden"],
        inner=SIZES["inner"],
    )
    assert counter.get_total_flops() == counted
    products = shapes(ROWS, LENGTH, ROWS * LENGTH, ITEMS, SIZES)
    assert 3 * sum(2 * batch * m * k * n for batch, m, k, n in products) == counted


def test_backward_products_are_the_gradients() -> None:
    (x, w, _), (dy, wt, dx), (xt, dy_again, dw) = forward_and_backward([(2, 3, 4, 5)])
    x, w = x.requires_grad_(), w.requires_grad_()
    (x @ w).backward(dy)
    assert dx.shape == x.shape
    assert dw.shape == w.shape
    torch.testing.assert_close(dy @ wt, x.grad)
    torch.testing.assert_close(xt.detach() @ dy_again, w.grad)
