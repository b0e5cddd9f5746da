"""Cross-entropy over a whole catalogue whose logits never exist all at once."""

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Logits held at once. On a CPU a chunk stays in the cache of a core; a GPU wants larger matrix products.
_CPU_LOGITS, _GPU_LOGITS = 2**19, 2**26
# Chunks are multiples of this: oneDNN makes, and keeps, a program for each shape that it meets.
_FEWEST_ROWS = 64


class _LinearCrossEntropy(torch.autograd.Function):
    """Works through the rows chunk by chunk and takes the gradient of a chunk while its logits are at hand.

    Under autocast the matrix products have autocast's type; the softmax, and the sums over chunks, never have.
    """

    @staticmethod
    def forward(ctx, states, weight, targets, bias):
        device, rows, items = states.device, len(states), len(weight)
        product = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else weight.dtype
        affordable = (_CPU_LOGITS if device.type == "cpu" else _GPU_LOGITS) // items
        at_once = max(1, affordable // _FEWEST_ROWS) * _FEWEST_ROWS
        padding = -rows % _FEWEST_ROWS
        # Buffers for all chunks: memory that is taken anew for each has to be mapped anew by the system, which takes as
        # long as the products do.
        scores = weight.new_empty(min(at_once, rows + padding), items)
        shares = torch.empty_like(scores)
        narrow = None if product == weight.dtype else torch.empty_like(scores, dtype=product)
        to_states, to_weight = weight.new_empty(rows + padding, states.size(1)), torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        loss = weight.new_zeros(())
        ctx.kind = states.dtype
        states, weight = F.pad(states.to(product), (0, 0, 0, padding)), weight.to(product)
        of_chunk = None if narrow is None else torch.empty_like(weight)
        targets = F.pad(targets, (0, padding))
        with torch.autocast(device.type, enabled=False):
            for start in range(0, rows, at_once):
                part, target = states[start : start + at_once], targets[start : start + at_once].unsqueeze(1)
                score, share = scores[: len(part)], shares[: len(part)]
                if narrow is None:
                    torch.mm(part, weight.T, out=score)
                else:
                    score.copy_(torch.mm(part, weight.T, out=narrow[: len(part)]))
                if bias is not None:
                    score.add_(bias)
                torch.softmax(score, dim=1, out=share)
                # log-sum-exp by the largest share, which is at least 1 / items and so never underflows.
                log_sum = score.amax(dim=1) - share.amax(dim=1).log()
                real = min(rows - start, len(part))
                loss += (log_sum - score.gather(1, target).squeeze(1))[:real].sum()
                share.scatter_add_(1, target, -torch.ones_like(target, dtype=share.dtype))  # gradient of the logits
                share[real:] = 0
                if bias is not None:
                    to_bias += share.sum(dim=0)
                if narrow is None:
                    torch.mm(share, weight, out=to_states[start : start + at_once])
                    to_weight.addmm_(share.T, part)
                else:
                    share = narrow[: len(part)].copy_(share)
                    to_states[start : start + at_once] = torch.mm(share, weight)
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
