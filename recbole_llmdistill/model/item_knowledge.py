"""What is known of the items from their texts, put into the table of item embeddings while it is trained.

With V the free table ``[I, H]``, t_i an item's text vector and f a linear map or two layers, an item's embedding is

- ``residual``: e_i = v_i + f(t_i);
- ``frozen``: e_i = f(t_i), or v_i where the item has no vector;
- ``init``: v_i, which starts from the first H principal components of the text vectors and is trained freely, as in
  LLM2SASRec (Harte et al., RecSys 2023) and LLMInit.

In ``residual``, an item that training never sees has e_i = f(t_i) alone while training: its v_i would stay what the
random start made of it. What a text alone says of an embedding lacks all that the free rows have learnt in common, and
such an item would never be ranked; so outside training its embedding comes from a regression of the other items' whole
embeddings on their texts (:func:`mapped_from_text`). After training all is folded into one table (:func:`fold`): a
trained model is the base model, in weights and speed.
"""

from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from recbole_llmdistill.data.item_vectors import ItemVectors

_TABLE = "weight"
RIDGE = 0.1
"""Of the map from text to rows: added to the diagonal of the vectors' products, as a share of its mean."""


class TextResidual(nn.Module):
    """A parametrisation of the table V: V + f(T), or f(T) alone where an item's row of V does not count.

    Outside training, items that only ``residual`` has no row for get one by :func:`mapped_from_text`.

    Args:
        vectors: of the items.
        free: items whose row of V counts, ``[I]`` bool.
        rows: rows of the table, of which those behind the items (a mask token's) have no text.
        hidden_size: H.
        layers: of f, 1 or 2.
        kind: ``residual`` or ``frozen``.
    """

    texts: torch.Tensor
    counts: torch.Tensor
    known: torch.Tensor

    def __init__(
        self, vectors: ItemVectors, free: torch.Tensor, rows: int, hidden_size: int, layers: int, kind: str
    ) -> None:
        super().__init__()
        texts_of_seen = vectors.present & free
        self._seen = texts_of_seen.nonzero().squeeze(1) if kind == "residual" else torch.empty(0, dtype=torch.long)
        self._cold = (vectors.present & ~free).nonzero().squeeze(1)
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
        whole = table * self.counts + mapped * self.known
        if self.training or not len(self._cold) or not len(self._seen):
            return whole
        return whole.index_copy(
            0, self._cold.to(whole.device), mapped_from_text(self.texts, self._seen, whole[self._seen], self._cold)
        )


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
    residual = TextResidual(vectors, free, rows, size, layers, kind).to(embedding.weight.device)
    parametrize.register_parametrization(embedding, _TABLE, residual)
    return list(residual.parameters())


def fold(embedding: nn.Embedding) -> None:
    """Let the table be what free rows and texts came to; without item knowledge nothing happens."""
    if parametrize.is_parametrized(embedding, _TABLE):
        embedding.eval()  # for the rows of items that training does not see
        parametrize.remove_parametrizations(embedding, _TABLE, leave_parametrized=True)


@torch.no_grad()
def folded(embedding: nn.Embedding) -> torch.Tensor:
    """The table that :func:`fold` would leave."""
    training = embedding.training
    embedding.eval()
    try:
        return embedding.weight.detach()
    finally:
        embedding.train(training)


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


def mapped_from_text(vectors: torch.Tensor, known: torch.Tensor, rows: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Rows for new items by a ridge regression from the known items' vectors to their rows.

    A regression says less than there is: its rows are short, and a short row has no high score with anybody. So they
    get the mean length of the known ones.

    Args:
        vectors: text vectors of all items, ``[N, D]``.
        known: numbers of known items, ``[K]``.
        rows: theirs, ``[K, H]``, or ``[K]``, of numbers, which have no length to be kept.
        new: numbers of new items, ``[M]``.

    Returns:
        ``[M, H]`` or ``[M]``.
    """
    vectors = vectors.cpu().double()
    texts, wanted = vectors[known], rows.cpu().double()
    mean_text, mean_row = texts.mean(dim=0), wanted.mean(dim=0)
    centred = texts - mean_text
    products = centred.T @ centred
    products += torch.eye(len(products), dtype=torch.float64) * RIDGE * products.diagonal().mean()
    weights = torch.linalg.solve(products, centred.T @ (wanted - mean_row))
    filled = (vectors[new] - mean_text) @ weights + mean_row
    if rows.dim() > 1:
        filled *= wanted.norm(dim=1).mean() / filled.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return filled.to(rows)
