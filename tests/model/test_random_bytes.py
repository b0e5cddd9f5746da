"""Random bytes follow PyTorch's seed, whether each draw has its own or many share one."""

import numpy as np
import torch

from recbole_llmdistill.model.cpu import RandomBytes


def three_draws(random_bytes: RandomBytes, shared: bool) -> list[list[int]]:
    torch.manual_seed(5)
    if not shared:
        return [random_bytes.draw(100).tolist() for _ in range(3)]
    with random_bytes.one_seed():
        return [random_bytes.draw(100).tolist() for _ in range(3)]


def test_draws_repeat_with_the_seed_and_differ_from_each_other() -> None:
    random_bytes = RandomBytes()
    for shared in (False, True):
        draws = three_draws(random_bytes, shared)
        assert draws == three_draws(random_bytes, shared)
        assert draws[0] != draws[1] != draws[2] != draws[0]


def test_a_shared_seed_ends_with_its_block() -> None:
    random_bytes = RandomBytes()
    torch.manual_seed(5)
    with random_bytes.one_seed():
        first = random_bytes.draw(100)
    torch.manual_seed(5)
    with random_bytes.one_seed():
        assert np.array_equal(random_bytes.draw(100), first)


def test_a_block_without_draws_takes_no_seed() -> None:
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    with RandomBytes().one_seed():
        pass
    assert torch.rand(()) == expected


def test_bytes_within_one_seed_are_uniform_and_independent_of_each_other() -> None:
    random_bytes = RandomBytes()
    torch.manual_seed(0)
    with random_bytes.one_seed():
        first, second = (random_bytes.draw(1_000_001) for _ in range(2))
    counts = np.bincount(np.concatenate([first, second]), minlength=256)
    expected = 2_000_002 / 256
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_squared - 255) < 5 * (2 * 255) ** 0.5
    assert abs(np.corrcoef(first, second)[0, 1]) < 5e-3
