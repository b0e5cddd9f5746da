"""Cross-entropy over a whole catalogue whose logits never exist all at once."""

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from recbole_llmdistill.model.precision import current_product_type

# Bytes of logits held at once. On a CPU a chunk stays in the cache of a core; a GPU wants larger matrix products.
_CPU_BYTES, _GPU_BYTES = 2**21, 2**28
# Chunks are multiples of this: oneDNN makes, and keeps, a program for each shape that it meets.
_FEWEST_ROWS = 64


class _LinearCrossEntropy(torch.autograd.Function):
    """Works through the rows chunk by chunk and takes the gradient of a chunk while its logits are at hand.

    Under autocast logits and shares have autocast's type; within the softmax, and in the sums over chunks, nothing has.
    """

    @staticmethod
    def forward(ctx, states, weight, targets, bias):
        device, rows, items = states.device, len(states), len(weight)
        product = current_product_type(weight)
        affordable = (_CPU_BYTES if device.type == "cpu" else _GPU_BYTES) // (items * product.itemsize)
        at_once = max(1, affordable // _FEWEST_ROWS) * _FEWEST_ROWS
        padding = -rows % _FEWEST_ROWS
        # Buffers for all chunks: memory that is taken anew for each has to be mapped anew by the system, which takes as
        # long as the products do.
        scores = weight.new_empty(min(at_once, rows + padding), items, dtype=product)
        shares = torch.empty_like(scores)
        to_states, to_weight = weight.new_empty(rows + padding, states.size(1)), torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        loss = weight.new_zeros(())
        ctx.kind = states.dtype
        states, weight = F.pad(states.to(product), (0, 0, 0, padding)), weight.to(product)
        bias = None if bias is None else bias.to(product)
        of_chunk = None if product == to_weight.dtype else torch.empty_like(weight)
        targets, row_numbers = F.pad(targets, (0, padding)), torch.arange(len(scores), device=device)
        with torch.autocast(device.type, enabled=False):
            for start in range(0, rows, at_once):
                part, target = states[start : start + at_once], targets[start : start + at_once]
                score, share = scores[: len(part)], shares[: len(part)]
                if bias is None:
                    torch.mm(part, weight.T, out=score)
                else:
                    torch.addmm(bias, part, weight.T, out=score)
                torch.softmax(score, dim=1, out=share)
                real = min(rows - start, len(part))
                at_target = (row_numbers[: len(part)], target)
                chosen = share[at_target]
                loss += _negative_log(chosen[:real], score[:real], share[:real], target[:real]).sum()
                share[at_target] = chosen - 1  # the gradient of the logits; scatter_add_ would copy all of them
                share[real:] = 0
                if bias is not None:
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
    def backward(ctx, gradient):
        to_states, to_weight, to_bias = ctx.saved_tensors
        scale = gradient / ctx.rows
        return (to_states * scale).to(ctx.kind), to_weight * scale, None, None if to_bias is None else to_bias * scale


def _negative_log(chosen: torch.Tensor, score: torch.Tensor, share: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """-log of ``chosen [N]``, the softmax ``share [N, I]`` of ``score [N, I]`` at ``target [N]``; ``[N]``.

    In float32 at least, and finite where a share has underflowed.
    """
    exact = torch.promote_types(chosen.dtype, torch.float32)
    result = -chosen.to(exact).log()
    vanished = (chosen < torch.finfo(chosen.dtype).tiny).nonzero().squeeze(1)
    if len(vanished):  # log-sum-exp by the largest share, which is at least 1 / I
        share, score = share[vanished].to(exact), score[vanished].to(exact)
        log_sum = score.amax(dim=1) - share.amax(dim=1).log()
        result[vanished] = log_sum - score.gather(1, target[vanished].unsqueeze(1)).squeeze(1)
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
