"""Layers that compute what RecBole's do in training, faster on a CPU; outside training they are RecBole's own.

Neither holds parameters, so checkpoints interchange with RecBole's models.
"""

from collections.abc import Callable

import numpy as np
import torch
from recbole.model.layers import FeedForward
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.model.random_bytes import RandomBytes


class ByteDropout(nn.Dropout):
    """Dropout whose mask on a CPU is cut from random bytes.

    PyTorch draws 32 random bits an element on a CPU, which takes longer than the matrix products around it. Here it is
    8, independent of each other. The share kept is a multiple of 1/256 (0.2 becomes 51/256 = 0.1992 dropped) and the
    scale is that share's inverse, so the expectation is exact.

    Args:
        p: share that is dropped.
        random_bytes: where the bytes come from, often shared with other layers.
    """

    def __init__(self, p: float, random_bytes: RandomBytes) -> None:
        super().__init__(p)
        self.random_bytes = random_bytes

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        kept = min(max(round((1 - self.p) * 256), 1), 255)
        # NumPy compares bytes, and PyTorch converts them to floats, many at a time; booleans it converts one by one.
        kept_bytes = (self.random_bytes.draw(values.numel()) < kept).view(np.uint8)
        mask = torch.from_numpy(kept_bytes).view(values.shape).to(values.dtype)
        return values * mask.mul_(256 / kept)


class FusedGelu(nn.Module):
    """PyTorch's one-kernel GELU in training; RecBole's formula, which rounds differently, outside it.

    Args:
        exact: RecBole's function (``FeedForward.gelu``), of the same mathematical value.
    """

    def __init__(self, exact: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.exact = exact

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return F.gelu(values) if self.training else self.exact(values)


def use_fast_layers(model: nn.Module) -> RandomBytes:
    """Exchange the dropouts and GELUs inside ``model``, in place; gives what all the dropouts draw from."""
    random_bytes = RandomBytes()
    for module in list(model.modules()):
        if isinstance(module, FeedForward) and module.intermediate_act_fn == module.gelu:
            module.intermediate_act_fn = FusedGelu(module.gelu)
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, ByteDropout(child.p, random_bytes))
    return random_bytes
