"""Random bytes on the CPU, many times faster than PyTorch draws them, and as reproducible."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


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
