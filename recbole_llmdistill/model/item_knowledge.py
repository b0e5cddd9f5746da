"""What is known of the items from their texts, put into the table of item embeddings while it is trained.

With V the free table ``[I, H]``, t_i an item's text vector and f a linear map or two layers, an item's embedding is

- ``residual``: e_i = v_i + f(t_i);
- ``frozen``: e_i = f(t_i), or v_i where the item has no vector;
- ``init``: v_i, which starts from the first H principal components of the text vectors and is trained freely, as in
  LLM2SASRec (Harte et al., RecSys 2023) and LLMInit.

In ``residual``, an item that training never sees has e_i = f(t_i) alone: its v_i would stay what the random start made
of it. After training all is folded into one table (:func:`fold`): a trained model is the base model, in weights and
speed.
"""

from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from recbole_llmdistill.data.item_vectors import ItemVectors

_TABLE = "weight"


class TextResidual(nn.Module):
    """A parametrisation of the table V: V + f(T), or f(T) alone where an item's row of V does not count.

    Args:
        vectors: of the items.
        free: items whose row of V counts, ``[I]`` bool.
        rows: rows of the table, of which those behind the items (a mask token's) have no text.
        hidden_size: H.
        layers: of f, 1 or 2.
    """

    texts: torch.Tensor
    counts: torch.Tensor
    known: torch.Tensor

    def __init__(self, vectors: ItemVectors, free: torch.Tensor, rows: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        items, size = vectors.vectors.shape
        texts, counts = torch.zeros(rows, size), torch.ones(rows, 1)
        texts[:items], counts[:items, 0] = vectors.vectors, free.float()
        known = torch.zeros(rows, 1)
        known[:items, 0] = vectors.present.float()
        self.register_buffer("texts", texts, persistent=False)
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("known", known, persistent=False)
        self.map = nn.Linear(size, hidden_size, bias=False)
        nn.init.normal_(self.map.weight, std=0.02 / size**0.5)
        self.upper: nn.Module | None = None
        if layers == 2:
            nn.init.xavier_uniform_(self.map.weight)
            self.upper = nn.Linear(hidden_size, hidden_size, bias=False)
            nn.init.normal_(self.upper.weight, std=0.02 / hidden_size**0.5)

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """``[rows, H]`` -> ``[rows, H]``."""
        mapped = self.map(self.texts)
        if self.upper is not None:
            mapped = self.upper(nn.functional.gelu(mapped))
        return table * self.counts + mapped * self.known


def begin(
    embedding: nn.Embedding, vectors: ItemVectors, kind: str, seen: torch.Tensor, layers: int
) -> list[nn.Parameter]:
    """Let a table of item embeddings be the free one and what the texts say.

    Args:
        embedding: the model's, with the items' rows first.
        vectors: of the items.
        kind: ``residual`` or ``frozen``.
        seen: items that training sees, ``[I]`` bool.
        layers: of the map, 1 or 2.

    Returns:
        The map's parameters, for the optimizer.
    """
    free = ~vectors.present if kind == "frozen" else seen | ~vectors.present
    rows, size = embedding.weight.shape
    residual = TextResidual(vectors, free, rows, size, layers).to(embedding.weight.device)
    parametrize.register_parametrization(embedding, _TABLE, residual)
    return list(residual.parameters())


def fold(embedding: nn.Embedding) -> None:
    """Let the table be what free rows and texts came to; without item knowledge nothing happens."""
    if parametrize.is_parametrized(embedding, _TABLE):
        parametrize.remove_parametrizations(embedding, _TABLE, leave_parametrized=True)


def parts_of(embedding: nn.Embedding) -> dict[str, torch.Tensor] | None:
    """Free table and map, for an exact continuation; None without item knowledge."""
    if not parametrize.is_parametrized(embedding, _TABLE):
        return None
    return cast(nn.Module, embedding.parametrizations).state_dict()


@torch.no_grad()
def initialise(embedding: nn.Embedding, vectors: ItemVectors, scale: float) -> None:
    """Let the rows of items with a vector start from the first H principal components of the vectors.

    Fewer than H components leave the other columns as they are.

    Args:
        embedding: the model's, with the items' rows first.
        vectors: of the items.
        scale: root mean square of what the components become.
    """
    components = vectors.principal_components(embedding.weight.size(1))
    rows = vectors.present.nonzero().squeeze(1).to(embedding.weight.device)
    embedding.weight[rows, : components.size(1)] = (components * scale).to(embedding.weight)
