"""Look at what a RecBole model makes of a batch while it runs its own forward pass.

RecBole's ``forward`` returns one vector per user, or one position of the last layer. Listening to the part that encodes
the sequence gives the rest without a second pass and without a copy of that code.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from recbole_llmdistill.model.packing import Packing


class Representation:
    """What one pass gave; a later pass over the same batch (another dropout, another view of it) counts for nothing.

    Attributes:
        layers: states ``[B, L, H]`` of each layer, the last one last; none of a model without states.
        packing: how those of ``layers`` are packed, if they are; else they are ``[B, at most L, H]``.
        output: what ``forward`` returned: user vectors ``[B, H]``, or a tuple that holds them.
        of_all_users: ``forward`` was given no rows, and its vectors are those of all users (a graph's).
    """

    def __init__(self) -> None:
        self.layers: list[torch.Tensor] = []
        self.packing: Packing | None = None
        self.output: Any = None
        self.of_all_users = False

    def hear(self, output: Any, given: Iterable[Any]) -> None:
        """Keep what ``forward`` made of the arguments ``given``."""
        if self.output is None:
            self.output = output
            self.of_all_users = not any(isinstance(value, torch.Tensor) and not value.is_sparse for value in given)

    def states(self, layer: int) -> torch.Tensor:
        """Those of a layer, ``[B, L, H]``."""
        states = self.layers[layer]
        return states if self.packing is None else self.packing.unpack(states)

    def user_vectors(self, users: torch.Tensor, place: int = 0) -> torch.Tensor | None:
        """The vector of each row's user, ``[B, H]``; None where ``forward`` gives no such vectors.

        Args:
            users: of the rows, ``[B]``.
            place: of the vectors, where ``forward`` returns several values.
        """
        vectors = self.output[place] if isinstance(self.output, tuple) and place < len(self.output) else self.output
        if not isinstance(vectors, torch.Tensor) or vectors.dim() != 2:
            return None
        vectors = vectors[users] if self.of_all_users else vectors
        return vectors if len(vectors) == len(users) else None


@contextmanager
def listening(encoder: nn.Module | None) -> Iterator[Representation]:
    """Collects, while open, the states of all layers of ``encoder``.

    Args:
        encoder: returns the states of all its layers in a list (RecBole's transformers) or those of its last layer,
            perhaps first of a tuple (recurrent layers); or is a ``Sequential`` of layers.
    """
    heard = Representation()
    if encoder is None:
        yield heard
        return
    finished = False

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal finished
        if not finished and isinstance(output, list):
            heard.layers[:] = output
        elif not finished and not heard.layers:
            heard.layers.append(output[0] if isinstance(output, tuple) else output)
        finished = True

    def keep_layer(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        if not finished:
            heard.layers.append(output)

    handles = [encoder.register_forward_hook(keep)]
    if isinstance(encoder, nn.Sequential):
        handles += [layer.register_forward_hook(keep_layer) for layer in encoder]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()
