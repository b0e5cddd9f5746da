"""Cross-entropy over a whole catalogue whose logits never exist all at once."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from recbole_llmdistill.model.cpu import current_product_type

# Bytes of logits held at once. On a CPU a chunk stays in its last cache; a GPU wants larger matrix products.
_CPU_BYTES, _GPU_BYTES = 2**24, 2**28
# Fewer rows at once make slow products, and the whole weight's gradient is added to once a chunk.
_FEWEST_ROWS = 256
# Chunks are multiples of this: oneDNN makes, and keeps, a program for each shape that it meets.
_ROWS = 64


class _LinearCrossEntropy(torch.autograd.Function):
    """Works through the rows chunk by chunk and takes the gradient of a chunk while its logits are at hand.

    Under autocast logits and shares have autocast's type; within the softmax, and in the sums over chunks, nothing has.
    """

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        device, rows, items = states.device, len(states), len(weight)
        product = current_product_type(weight)
        affordable = (_CPU_BYTES if device.type == "cpu" else _GPU_BYTES) // (items * product.itemsize)
        at_once = max(_FEWEST_ROWS, affordable // _ROWS * _ROWS)
        padding = -rows % _ROWS
        # One buffer for all chunks, where shares take the place of scores: memory that is taken for each has to be
        # mapped by the system each time, which takes as long as the products do.
        shares = weight.new_empty(min(at_once, rows + padding), items, dtype=product)
        to_states, to_weight = weight.new_empty(rows + padding, states.size(1)), torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        loss = weight.new_zeros(())
        ctx.kind = states.dtype
        states, weight = F.pad(states.to(product), (0, 0, 0, padding)), weight.to(product)
        bias = None if bias is None else bias.to(product)
        of_chunk = None if product == to_weight.dtype else torch.empty_like(weight)
        targets, row_numbers = F.pad(targets, (0, padding)), torch.arange(len(shares), device=device)
        with torch.autocast(device.type, enabled=False):
            for start in range(0, rows, at_once):
                part, target = states[start : start + at_once], targets[start : start + at_once]
                share = shares[: len(part)]
                if bias is None:
                    torch.mm(part, weight.T, out=share)
                else:
                    torch.addmm(bias, part, weight.T, out=share)
                torch.softmax(share, dim=1, out=share)
                real = min(rows - start, len(part))
                at_target = (row_numbers[: len(part)], target)
                chosen = share[at_target]
                loss += _negative_log(chosen[:real], part[:real], weight, bias, target[:real]).sum()
                share[at_target] = chosen - 1  # the gradient of the logits; scatter_add_ would copy all of them
                share[real:] = 0
                if to_bias is not None:
                    to_bias += share.sum(dim=0, dtype=to_bias.dtype)
                to_states[start : start + at_once] = torch.mm(share, weight)
                if of_chunk is None:  # a product can be added where it belongs
                    to_weight.addmm_(share.T, part)
                else:
                    to_weight += torch.mm(share.T, part, out=of_chunk)
        ctx.save_for_backward(to_states[:rows], to_weight, to_bias)
        ctx.rows = max(rows, 1)
        return loss / ctx.rows

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_states, to_weight, to_bias = ctx.saved_tensors
        scale = gradient / ctx.rows
        return (to_states * scale).to(ctx.kind), to_weight * scale, None, None if to_bias is None else to_bias * scale


def _negative_log(
    chosen: torch.Tensor, states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """-log of ``chosen [N]``, the shares of ``targets [N]``; ``[N]``, in float32 at least, and finite.

    Where a share has underflowed the scores are computed again, from ``states [N, H]``.
    """
    exact = torch.promote_types(chosen.dtype, torch.float32)
    result = -chosen.to(exact).log()
    vanished = (chosen < torch.finfo(chosen.dtype).tiny).nonzero().squeeze(1)
    if len(vanished):
        scores = F.linear(states[vanished], weight, bias).to(exact)
        result[vanished] = F.cross_entropy(scores, targets[vanished], reduction="none")
    return result


def linear_cross_entropy(
    states: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """``F.cross_entropy(states @ weight.T + bias, targets)``, exactly, in memory that no number of rows drives.

    The gradients are computed along with the loss, one chunk of rows after the other: a chunk's logits are computed
    once and stay in the processor's cache. Differentiable once.

    Args:
        states: user representations ``[N, H]``.
        weight: item embeddings ``[I, H]``.
        targets: index of the right item, ``[N]`` int64.
        bias: of each item, ``[I]``, or none.

    Returns:
        Mean over the rows, a scalar; 0 without rows, where ``F.cross_entropy`` gives NaN.
    """
    return _LinearCrossEntropy.apply(states, weight, targets, bias)
