"""L_distil against its formula, written with NumPy and loops."""

import numpy as np
import pytest
import torch

from recbole_llmdistill.model.distillation_loss.protocol import LOSSES


@pytest.fixture
def sides() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(6, 5, generator=random), torch.randn(6, 5, generator=random)


def compute(name: str, student, target, users=None, **options) -> float:
    users = torch.arange(len(student)) if users is None else users
    loss = LOSSES.parts()[name]
    return float(loss(loss.Options(**options))(student, target, users))


def test_mse_and_rmse(sides) -> None:
    student, target = (side.numpy() for side in sides)
    expected = sum((student[u, d] - target[u, d]) ** 2 for u in range(6) for d in range(5)) / 30
    assert compute("mse", *sides) == pytest.approx(expected, rel=1e-5)
    assert compute("rmse", *sides) == pytest.approx(expected**0.5, rel=1e-5)


def test_cosine(sides) -> None:
    student, target = (side.numpy() for side in sides)
    cosines = [s @ t / (np.linalg.norm(s) * np.linalg.norm(t)) for s, t in zip(student, target, strict=True)]
    assert compute("cosine", *sides) == pytest.approx(1 - np.mean(cosines), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_contrastive_picks_the_own_profile_among_other_users(sides, temperature: float) -> None:
    student, target = (side.numpy() for side in sides)
    users = [3, 4, 3, 5, 6, 7]  # rows 0 and 2 are of one user: no negatives of each other

    def similarity(a: int, b: int) -> float:
        return student[a] @ target[b] / (np.linalg.norm(student[a]) * np.linalg.norm(target[b])) / temperature

    losses = []
    for row in range(6):
        rivals = [similarity(row, other) for other in range(6) if other == row or users[other] != users[row]]
        losses.append(-similarity(row, row) + np.log(np.sum(np.exp(rivals))))
    value = compute("contrastive", *sides, users=torch.tensor(users), distill_temperature=temperature)
    assert value == pytest.approx(np.mean(losses), rel=1e-5)
