"""Cross-entropy over the target and a sample of the items, corrected for how the sample was drawn."""

import torch
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.model.recommendation_loss.negatives import PopularNegatives, score_targets_and_negatives


class SampledSoftmax(nn.Module):
    """Softmax over the target and M negatives drawn by popularity, with the logQ correction.

    From a negative's score the logarithm of its expected count, log(M q), is taken, and a negative that is the
    position's own target is left out; the target itself is there with certainty and is not corrected. So the expected
    sum of exponentials is that over all items but the padding item, and the loss approaches that of the full softmax
    as M grows.

    Args:
        negatives: draws the M negatives, and knows their expected counts.
    """

    def __init__(self, negatives: PopularNegatives) -> None:
        super().__init__()
        self.negatives = negatives

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        target_scores, negatives, scores = score_targets_and_negatives(
            self.negatives, states, item_embeddings, targets, bias
        )
        corrected = scores - self.negatives.log_expected_count[negatives]
        logits = torch.cat([target_scores.unsqueeze(1), corrected], dim=1)
        return F.cross_entropy(logits, torch.zeros_like(targets), reduction="sum") / max(len(targets), 1)
