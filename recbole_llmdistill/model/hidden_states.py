"""Look at the states of all layers while a RecBole model runs its own forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from recbole.model.layers import TransformerEncoder
from torch import nn


@contextmanager
def hidden_states(encoder: TransformerEncoder) -> Iterator[list[torch.Tensor]]:
    """Collects, while open, what ``encoder`` returns: the states ``[B, L, H]`` of each layer.

    RecBole's ``forward`` returns only the last layer (SASRec: only one position of it). Listening to the encoder
    gives the rest without a second pass and without a copy of that code.
    """
    states: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, layers: list[torch.Tensor]) -> None:
        states[:] = layers

    handle = encoder.register_forward_hook(keep)
    try:
        yield states
    finally:
        handle.remove()
