"""Taking rows has PyTorch's values and gradient."""

import torch

from recbole_llmdistill.model.cpu import origin_of, take_rows


def test_values_and_gradient_are_those_of_indexing() -> None:
    torch.manual_seed(0)
    values, rows = torch.randn(10, 3, requires_grad=True), torch.tensor([7, 2, 9, 0])
    weight = torch.randn(4, 3)
    taken = take_rows(values, rows, origin_of(rows, 10, 4))
    assert torch.equal(taken, values[rows])
    (gradient,) = torch.autograd.grad((taken * weight).sum(), values)
    (expected,) = torch.autograd.grad((values[rows] * weight).sum(), values)
    assert torch.equal(gradient, expected)


def test_a_row_taken_again_as_filling_gets_the_gradient_of_its_first() -> None:
    values, rows = torch.ones(5, 2, requires_grad=True), torch.tensor([3, 0])
    filled = torch.tensor([3, 0, 0, 0])
    taken = take_rows(values, filled, origin_of(rows, 5, 4))
    (gradient,) = torch.autograd.grad((taken[:2] * torch.tensor([[2.0], [5.0]])).sum(), values)
    assert gradient[:, 0].tolist() == [5, 0, 0, 2, 0]
