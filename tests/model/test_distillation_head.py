"""The head: who is compared with what."""

import pytest
import torch

from recbole_llmdistill.data.user_vectors import UserVectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation import DistillationHead

HIDDEN = 4


@pytest.fixture
def make_head(configure):
    """Function (profiles, settings) -> head."""
    from recbole_llmdistill.config.settings import DistillationSettings

    def make(profiles: UserVectors, **settings) -> DistillationHead:
        return DistillationHead(DistillationSettings.from_config(configure(**settings)), profiles, HIDDEN)

    return make


def random_profiles(n_profiles: int, size: int) -> UserVectors:
    """Profiles of users 1 to 5; user 3 has none, user 4 only the first."""
    present = torch.ones(6, n_profiles, dtype=torch.bool)
    present[[0, 3]] = False
    present[4, 1:] = False
    vectors = torch.randn(6, n_profiles, size, generator=torch.Generator().manual_seed(2))
    return UserVectors(torch.where(present.unsqueeze(-1), vectors, 0), present)


def random_states(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 3, HIDDEN), torch.ones(rows, 3, dtype=torch.bool)


def test_users_without_profile_are_left_out_of_the_mean(make_head) -> None:
    head = make_head(random_profiles(1, 7), distill_bridge="up")
    states, real = random_states(4)
    mixed = head(states, real, torch.tensor([1, 3, 2, 3]))
    alone = head(states[[0, 2]], real[[0, 2]], torch.tensor([1, 2]))
    torch.testing.assert_close(mixed.loss, alone.loss)
    assert mixed.users == 2


def test_a_batch_without_any_profile_has_no_distillation_loss(make_head) -> None:
    states, real = random_states(2)
    assert make_head(random_profiles(1, 7))(states, real, torch.tensor([3, 3])) is None


def test_bridge_up_maps_the_student(make_head) -> None:
    profiles = random_profiles(1, 7)
    head = make_head(profiles, distill_bridge="up", distill_loss="mse")
    states, real = random_states(1)
    bridge = head.bridge.student
    student = states.mean(dim=1) @ bridge.weight.T + bridge.bias
    expected = (student - profiles.vectors[1]).square().mean()
    torch.testing.assert_close(head(states, real, torch.tensor([1])).loss, expected)


def test_bridge_down_maps_the_profile(make_head) -> None:
    profiles = random_profiles(1, 7)
    head = make_head(profiles, distill_bridge="down", distill_loss="mse")
    states, real = random_states(1)
    bridge = head.bridge.teacher
    target = profiles.vectors[1] @ bridge.weight.T + bridge.bias
    expected = (states.mean(dim=1) - target).square().mean()
    torch.testing.assert_close(head(states, real, torch.tensor([1])).loss, expected)


def test_bridge_none_compares_as_they_are(make_head) -> None:
    profiles = random_profiles(1, HIDDEN)
    head = make_head(profiles, distill_bridge="none", distill_loss="mse")
    states, real = random_states(1)
    expected = (states.mean(dim=1) - profiles.vectors[1]).square().mean()
    torch.testing.assert_close(head(states, real, torch.tensor([1])).loss, expected)
    assert not list(head.bridge.parameters())


def test_bridge_none_refuses_unequal_sizes(make_head) -> None:
    with pytest.raises(InputError, match=r"distill_bridge='none' needs profiles of hidden_size=4 .* they have 7"):
        make_head(random_profiles(1, 7), distill_bridge="none")


def test_several_profiles_are_averaged_over_those_that_exist(make_head) -> None:
    profiles = random_profiles(3, HIDDEN)
    head = make_head(profiles, distill_bridge="none", vectors_aggregation="mean", distill_loss="mse")
    states, real = random_states(2)
    targets = torch.stack([profiles.vectors[1].mean(dim=0), profiles.vectors[4, 0]])
    expected = (states.mean(dim=1) - targets).square().mean()
    torch.testing.assert_close(head(states, real, torch.tensor([1, 4])).loss, expected)


def test_each_of_several_profiles_goes_through_the_bridge_before_attention(make_head) -> None:
    profiles = random_profiles(3, 7)
    head = make_head(profiles, distill_bridge="down", vectors_aggregation="attention", distill_loss="mse")
    states, real = random_states(1)
    teacher, score = head.bridge.teacher, head.aggregation.score
    mapped = [vector @ teacher.weight.T + teacher.bias for vector in profiles.vectors[1]]
    weights = torch.stack([m @ score.weight[0] + score.bias[0] for m in mapped]).softmax(dim=0)
    target = sum(w * m for w, m in zip(weights, mapped, strict=True))
    expected = (states.mean(dim=1)[0] - target).square().mean()
    torch.testing.assert_close(head(states, real, torch.tensor([1])).loss, expected)


def test_target_spread_is_the_distance_from_the_mean_target(make_head) -> None:
    profiles = random_profiles(1, 7)
    states, real = random_states(3)
    spread = make_head(profiles)(states, real, torch.tensor([1, 2, 5])).target_spread
    targets = profiles.vectors[[1, 2, 5], 0]
    torch.testing.assert_close(spread, (targets - targets.mean(dim=0)).square().mean().sqrt())
