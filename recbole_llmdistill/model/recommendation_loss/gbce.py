"""Generalised binary cross-entropy (gSASRec: Petrov and Macdonald, RecSys 2023)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from recbole_llmdistill.model.recommendation_loss.negatives import UniformNegatives, score_targets_and_negatives


class GeneralisedBinaryCrossEntropy(nn.Module):
    """Binary cross-entropy of the target against M uniform negatives, the target's probability raised to beta.

        -(log p_target^beta + sum over negatives log(1 - p)) / (M + 1),  p = sigma(s - log(M / beta))
        beta = alpha (t (1 - 1 / alpha) + 1 / alpha) = 1 - t (1 - alpha),  alpha = M / (I - 1)

    where I counts the real items. Sampled negatives make binary cross-entropy overconfident; beta below 1 takes that
    back, wholly at t = 1, and not at all at t = 0, which is plain binary cross-entropy. A negative that is the
    position's own target is left out.

    The paper has sigma(s). The constant changes no ranking; it makes equal scores the best guess of a model that knows
    nothing. Without it all scores have to fall far below 0 first, and where they are products with the item embeddings
    that are the model's input, too, every embedding takes on one large common part, beside which the layer norm of the
    input lets little of an item through: training stays at popularity (``docs/training.md`` has figures).

    Args:
        negatives: draws the M negatives.
        calibration: t, from 0 to 1.
    """

    def __init__(self, negatives: UniformNegatives, calibration: float) -> None:
        super().__init__()
        self.negatives = negatives
        real_items = negatives.n_items - 1
        alpha = min(negatives.n_negatives / max(real_items - 1, 1), 1.0)  # the share of them that is drawn
        self.beta = 1 - calibration * (1 - alpha)
        self.prior = math.log(negatives.n_negatives / self.beta)

    def forward(
        self, states: torch.Tensor, item_embeddings: torch.Tensor, targets: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """``states [N, H]``, ``item_embeddings [I, H]``, ``targets [N]``, ``bias [I]`` -> scalar."""
        target_scores, _, scores = score_targets_and_negatives(self.negatives, states, item_embeddings, targets, bias)
        # -log sigma(s)^beta = beta softplus(-s), and -log(1 - sigma(s)) = softplus(s), which is 0 at minus infinity
        losses = self.beta * F.softplus(self.prior - target_scores) + F.softplus(scores - self.prior).sum(dim=1)
        counted = 1 + (scores > -torch.inf).sum(dim=1)
        return (losses / counted).sum() / max(len(targets), 1)
