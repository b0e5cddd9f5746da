"""What RecBole's evaluation sees of each test case, kept beside the means that it reports."""

import inspect
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data.interaction import Interaction
from recbole.evaluator import Collector
from recbole.evaluator.base_metric import TopkMetric
from recbole.evaluator.evaluator import Evaluator


class RecordingCollector(Collector):
    """RecBole's collector, which also keeps users, held-out items, recommended items and likelihoods.

    Args:
        config: of the run.
        original: the trainer's own collector, which has learnt from the training data already.
        list_length: recommended items to keep, the best first.
    """

    def __init__(self, config: Config, original: Collector, list_length: int) -> None:
        super().__init__(config)
        self.data_struct = original.data_struct
        self.list_length = list_length
        self._uid = config["USER_ID_FIELD"]
        self._batches: list[tuple[np.ndarray, ...]] = []

    def eval_batch_collect(
        self, scores_tensor: torch.Tensor, interaction: Interaction, positive_u: torch.Tensor, positive_i: torch.Tensor
    ) -> None:
        """As RecBole's; scores ``[rows, n_items]``, held-out item ``positive_i`` of row ``positive_u``."""
        super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)
        rows, items = positive_u.to(scores_tensor.device), positive_i.to(scores_tensor.device)
        users = interaction[self._uid].to(scores_tensor.device)[rows]
        likelihood = scores_tensor.double().logsumexp(dim=1)[rows] - scores_tensor[rows, items]
        best = scores_tensor.topk(min(self.list_length, scores_tensor.size(1)), dim=1).indices
        self._batches.append(tuple(tensor.cpu().numpy() for tensor in (users, items, likelihood, best)))

    def get_data_struct(self) -> Any:
        """As RecBole's; what it gives stays at hand as ``struct``."""
        self.struct = super().get_data_struct()
        return self.struct

    def recorded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """User and item id of each held-out item, its negative log-likelihood under the softmax over all items that
        are ranked, and the items recommended, ``[rows, list_length]``."""
        users, items, likelihood, best = map(np.concatenate, zip(*self._batches, strict=True))
        return users, items, likelihood, best


def values_of_cases(evaluator: Evaluator, struct: Any) -> dict[str, np.ndarray]:
    """Each ranking metric of each row, by RecBole's own metric classes, e.g. ``{"ndcg@10": [rows]}``.

    Metrics of whole lists, such as coverage, have no value per row and are left out.

    Args:
        evaluator: RecBole's, of a trainer.
        struct: what RecBole's collector gave it.
    """
    values: dict[str, np.ndarray] = {}
    for name, metric in evaluator.metric_class.items():
        if not isinstance(metric, TopkMetric):
            continue
        hits, lengths = metric.used_info(struct)
        takes_lengths = "pos_len" in inspect.signature(metric.metric_info).parameters
        of_rows = metric.metric_info(hits, lengths) if takes_lengths else metric.metric_info(hits)
        values |= {f"{name}@{k}": np.asarray(of_rows[:, k - 1], dtype=np.float32) for k in metric.topk}
    return values
