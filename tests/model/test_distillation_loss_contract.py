"""What every distillation loss has to keep, and one that a stranger adds."""

from pathlib import Path

import pytest
import torch
from part_contract import check_declaration, drop_module

from recbole_llmdistill.config.settings import fields
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model import distillation_loss
from recbole_llmdistill.model.distillation_loss.protocol import LOSSES


def _sides(users: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(users, 5, generator=random), torch.randn(users, 5, generator=random)


@pytest.mark.parametrize("name", LOSSES.parts())
def test_declaration(name: str) -> None:
    loss = LOSSES.parts()[name]
    check_declaration(loss)
    assert all(key.startswith("distill_") for key in loss.Options.model_fields)


@pytest.mark.parametrize("name", LOSSES.parts())
def test_a_finite_scalar_that_a_step_along_its_gradient_lowers(name: str) -> None:
    loss = LOSSES.parts()[name]
    module = loss(loss.Options())
    student, target = _sides()
    student.requires_grad_()
    before = module(student, target, torch.arange(6))
    before.backward()
    assert before.shape == ()
    assert torch.isfinite(before)
    assert module(student.detach() - 1e-3 * student.grad, target, torch.arange(6)) < before
    assert not list(module.parameters())


@pytest.mark.parametrize("name", LOSSES.parts())
def test_gradient_is_finite_at_a_perfect_match_and_for_one_user(name: str) -> None:
    loss = LOSSES.parts()[name]
    for users in (6, 1):
        target = _sides(users)[1]
        student = target.clone().requires_grad_()
        loss(loss.Options())(student, target, torch.arange(users)).backward()
        assert torch.isfinite(student.grad).all()


STRANGERS = """
import torch
from pydantic import Field

from recbole_llmdistill.config.options import Options
from recbole_llmdistill.model.distillation_loss.protocol import DistillationLoss


class HuberOptions(Options):
    distill_huber_delta: float = Field(1.0, gt=0, description="Where the square becomes a line.")


class Huber(DistillationLoss):
    name = "huber"
    title = "Huber's loss"
    Options = HuberOptions

    def forward(self, student, target, users):
        return torch.nn.functional.huber_loss(student, target, delta=self.options.distill_huber_delta)
"""


def test_one_that_a_stranger_adds(configure, prepare, tmp_path: Path, monkeypatch) -> None:
    drop_module(monkeypatch, distillation_loss, tmp_path / "more", "huber", STRANGERS)
    fields.cache_clear()
    try:
        assert configure(distill_loss="huber")["distill_huber_delta"] == 1.0  # in no yaml file
        with pytest.raises(InputError, match=r"distill_huber_delta=0: input should be greater than 0"):
            configure(distill_huber_delta=0)
        with pytest.raises(InputError, match=r"distill_loss='hubert': .*; did you mean 'huber'"):
            configure(distill_loss="hubert")
        with pytest.raises(InputError, match=r"'distill_huber_dleta': did you mean 'distill_huber_delta'"):
            configure(distill_huber_dleta=1)
        prepared = prepare(distill_loss="huber", distill_huber_delta=0.5, epochs=2)
        prepared.trainer.fit(prepared.train_data, saved=False)
        assert prepared.trainer.train_loss_dict.keys() == {0, 1}
    finally:
        fields.cache_clear()
