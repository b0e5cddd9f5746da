"""Full-ranking evaluation without a users x items matrix, with RecBole's results.

RecBole scores a whole evaluation batch against all items, marks the held-out items in a second matrix of that size,
and pads every sequence to the longest that is allowed. Here a batch is scored in slices of users with histories of
similar length, cut to the longest of the slice, and of each slice only the best items are kept.
"""

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.evaluator import Collector

SCORES_AT_ONCE = {"cpu": 2**22, "other": 2**27}
"""Scores (float32) that are in memory at a time; on a CPU as many as its caches like."""
LEAST_ROWS = 32
"""Users in a slice at least: with fewer, reading the item embeddings would take longer than multiplying by them."""
# What a metric may need that the best items alone do not answer, but every score does.
UNANSWERED = ("rec.meanrank", "rec.score", "data.label")


class BestItems:
    """The best items of each user of a batch.

    Args:
        items: ids ``[batch, k]``, best first.
    """

    def __init__(self, items: torch.Tensor) -> None:
        self.items = items


class BestItemsCollector(Collector):
    """RecBole's collector, which takes :class:`BestItems` in place of scores as well."""

    @property
    def needs_best_items_alone(self) -> bool:
        """Whether the configured metrics can be computed without the scores of all items."""
        return not any(self.register.need(what) for what in UNANSWERED)

    def eval_batch_collect(
        self, scores_tensor: Any, interaction: Interaction, positive_u: torch.Tensor, positive_i: torch.Tensor
    ) -> None:
        if not isinstance(scores_tensor, BestItems):
            super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)
            return
        items = scores_tensor.items
        if self.register.need("rec.items"):
            self.data_struct.update_tensor("rec.items", items)
        if self.register.need("rec.topk"):
            # A sequential model's row has one held-out item.
            hits = items == positive_i.to(items.device).unsqueeze(1)
            self.data_struct.update_tensor("rec.topk", torch.cat([hits.long(), torch.ones_like(items[:, :1])], dim=1))


def best_items(
    model: Any,
    interaction: Interaction,
    k: int,
    list_suffix: str,
    device: torch.device,
    seen: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> BestItems:
    """Rank all items for each row of a batch, as RecBole's ``_full_sort_batch_eval`` and ``torch.topk`` would.

    Args:
        model: a sequential model whose result does not depend on how far its sequences are padded.
        interaction: evaluation rows, padded at the end.
        k: items per row.
        list_suffix: RecBole's ``LIST_SUFFIX``, by which the padded columns are known.
        device: where the model is.
        seen: row and id of each item that is not to be ranked in that row, by row; None: all items are ranked.
    """
    lengths = interaction[model.ITEM_SEQ_LEN]
    budget = SCORES_AT_ONCE.get(device.type, SCORES_AT_ONCE["other"])
    by_length = torch.argsort(lengths, stable=True)
    if seen is not None:
        n_seen = torch.bincount(seen[0], minlength=len(lengths))
        items_of_row = seen[1].split(n_seen.tolist())
    found = torch.empty(len(lengths), k, dtype=torch.int64, device=device)
    for rows in by_length.split(max(LEAST_ROWS, budget // model.n_items)):
        longest = int(lengths[rows].max())
        part = Interaction(
            {
                name: column[rows, :longest] if name.endswith(list_suffix) else column[rows]
                for name, column in interaction.interaction.items()
            }
        )
        scores = model.full_sort_predict(part.to(device)).view(-1, model.n_items)
        scores[:, 0] = -np.inf
        if seen is not None:
            places = torch.repeat_interleave(torch.arange(len(rows)), n_seen[rows])
            scores[places, torch.cat([items_of_row[row] for row in rows.tolist()])] = -np.inf
        found[rows.to(device)] = scores.topk(k, dim=-1).indices
    return BestItems(found)
