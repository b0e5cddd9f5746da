"""What makes training fast on a CPU, and leaves its results as they are: the same functions, computed otherwise.

- matrix products in bfloat16 where the hardware multiplies it faster (``sequence_precision``);
- dropout masks cut from random bytes, GELU in one kernel;
- rows that are taken with a gradient that is taken, too;
- a step of the optimizer in one pass over each parameter.

``sequence_fast_layers: False`` gives RecBole's own layers, and PyTorch's cross-entropy and optimizer, instead.

None of it holds parameters, so checkpoints interchange with RecBole's models.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from recbole.model.layers import FeedForward
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def matrix_product_type(name: str, device: torch.device) -> torch.dtype:
    """Type of the config value ``sequence_precision`` on a device.

    ``auto`` is bfloat16 where the hardware multiplies it faster than float32: on a GPU that knows it, and on a
    processor with the AVX-512 or AMX instructions for it.
    """
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if fast else torch.float32


def current_product_type(values: torch.Tensor) -> torch.dtype:
    """Type that a matrix product with ``values`` has here: autocast's, or their own."""
    device = values.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else values.dtype


class RandomBytes:
    """Bytes of NumPy's SFC64, seeded from PyTorch's generator, whose seed and saved state hence decide them.

    Every draw has a seed of its own, but for those within :meth:`one_seed`: making a generator takes as long as
    drawing 500,000 bytes.
    """

    def __init__(self) -> None:
        self._generator: np.random.SFC64 | None = None
        self._shared = False

    @contextmanager
    def one_seed(self) -> Iterator[None]:
        """One seed, taken when it is first needed, for all draws in this block."""
        self._shared = True
        try:
            yield
        finally:
            self._shared, self._generator = False, None

    def draw(self, count: int) -> np.ndarray:
        """``count`` independent bytes, uint8."""
        generator = self._generator or np.random.SFC64(int(torch.randint(2**63 - 1, ())))
        if self._shared:
            self._generator = generator
        return generator.random_raw(-(-count // 8)).view(np.uint8)[:count]


class ByteDropout(nn.Dropout):
    """Dropout whose mask on a CPU is cut from random bytes.

    PyTorch draws 32 random bits per element on a CPU, which takes longer than the matrix products around it. Here it is
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


def use_fused_steps(optimizer: torch.optim.Optimizer) -> None:
    """One pass over a parameter instead of a dozen, in the groups that are there and in those that are added later."""
    if isinstance(optimizer, (torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad)):  # AdamW is an Adam
        for options in (optimizer.defaults, *optimizer.param_groups):
            options["fused"] = True


class _TakeRows(torch.autograd.Function):
    """``index_select`` whose gradient is an ``index_select``: PyTorch's own adds, ten times slower on a CPU."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, rows: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(origin)
        return values.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (origin,) = ctx.saved_tensors
        return F.pad(gradient, (0, 0, 0, 1)).index_select(0, origin), None, None


def take_rows(values: torch.Tensor, rows: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    """``values[rows]`` where each row whose gradient counts is taken once.

    Args:
        values: ``[N, H]``.
        rows: which to take, ``[M]``.
        origin: for each of ``values``, where it went: an index below M, whose gradient it gets, or M, ``[N]``.

    Returns:
        ``[M, H]``. Differentiable once.
    """
    return _TakeRows.apply(values, rows, origin)


def origin_of(rows: torch.Tensor, count: int, taken: int) -> torch.Tensor:
    """``origin`` for :func:`take_rows`, when ``rows`` (different ones) come first of ``taken``; of ``count`` values."""
    origin = torch.full((count,), taken, device=rows.device)
    origin[rows] = torch.arange(len(rows), device=rows.device)
    return origin
