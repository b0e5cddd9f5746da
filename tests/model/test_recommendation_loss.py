"""Losses over the item catalogue against dense formulas, written out or computed by brute force."""

import math

import pytest
import torch
from recbole.data.dataset import SequentialDataset
from torch import nn

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.recommendation_loss.build import Softmax, build_recommendation_loss
from recbole_llmdistill.model.recommendation_loss.gbce import GeneralisedBinaryCrossEntropy
from recbole_llmdistill.model.recommendation_loss.negatives import (
    POSITIONS_A_DRAW,
    PopularNegatives,
    UniformNegatives,
    score_targets_and_negatives,
)
from recbole_llmdistill.model.recommendation_loss.popularity_smoothing import PopularitySmoothing
from recbole_llmdistill.model.recommendation_loss.sampled_softmax import SampledSoftmax

N, ITEMS, SIZE = 7, 30, 5  # the padding item is one of the 30
BIAS = pytest.mark.parametrize("with_bias", [False, True])


class Fixed(nn.Module):
    """Negatives given by hand, with their expected counts."""

    def __init__(self, items: torch.Tensor, expected_count: torch.Tensor, n_items: int = ITEMS) -> None:
        super().__init__()
        self.items, self.n_negatives, self.n_items = items, len(items), n_items
        self.log_expected_count = expected_count.log()

    def forward(self, draws: int, device: torch.device) -> torch.Tensor:
        return self.items.expand(draws, -1)


def case(with_bias: bool = False, n: int = N):
    """States, item embeddings, targets and bias, in float64 so that sums agree to many digits."""
    torch.manual_seed(1)
    states = torch.randn(n, SIZE, dtype=torch.float64, requires_grad=True)
    embeddings = torch.randn(ITEMS, SIZE, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(ITEMS, dtype=torch.float64, requires_grad=True) if with_bias else None
    return states, embeddings, torch.randint(1, ITEMS, (n,)), bias


def dense_logits(states, embeddings, bias) -> torch.Tensor:
    return states @ embeddings.T + (0 if bias is None else bias)


def popularity() -> torch.Tensor:
    return torch.cat([torch.zeros(1), torch.arange(ITEMS - 1).float()])


@BIAS
def test_softmax_is_the_mean_negative_log_probability(with_bias: bool) -> None:
    states, embeddings, targets, bias = case(with_bias)
    shares = dense_logits(states, embeddings, bias).exp()
    expected = -torch.stack([(row[target] / row.sum()).log() for row, target in zip(shares, targets, strict=True)])
    torch.testing.assert_close(Softmax()(states, embeddings, targets, bias), expected.mean())


@BIAS
def test_sampled_softmax_with_every_item_once_is_the_full_softmax(with_bias: bool) -> None:
    states, embeddings, targets, bias = case(with_bias)
    every_item = Fixed(torch.randperm(ITEMS - 1) + 1, torch.ones(ITEMS))
    loss = SampledSoftmax(every_item)(states, embeddings, targets, bias)
    logits = dense_logits(states, embeddings, bias)[:, 1:]  # the padding item is no negative
    expected = (logits.logsumexp(dim=1) - logits[torch.arange(N), targets - 1]).mean()
    torch.testing.assert_close(loss, expected.float(), check_dtype=False)

    inputs = [tensor for tensor in (states, embeddings, bias) if tensor is not None]
    for ours, theirs in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@BIAS
def test_sampled_softmax_by_hand(with_bias: bool) -> None:
    states, embeddings, _, bias = case(with_bias, n=2)
    targets = torch.tensor([3, 8])
    counts = torch.linspace(0.5, 4.0, ITEMS)
    loss = SampledSoftmax(Fixed(torch.tensor([8, 4, 4]), counts))(states, embeddings, targets, bias)
    score = dense_logits(states, embeddings, bias).tolist()
    first = math.exp(score[0][3]) + math.exp(score[0][8]) / counts[8] + 2 * math.exp(score[0][4]) / counts[4]
    second = math.exp(score[1][8]) + 2 * math.exp(score[1][4]) / counts[4]  # the hit on its own target is left out
    expected = (math.log(first) - score[0][3] + math.log(second) - score[1][8]) / 2
    assert loss.item() == pytest.approx(float(expected), rel=1e-5)


def test_the_sampled_sum_of_exponentials_is_unbiased() -> None:
    states, embeddings, targets, _ = case()
    torch.manual_seed(0)
    draws = 4000
    negatives = PopularNegatives(64, popularity())
    loss = SampledSoftmax(negatives)
    with torch.no_grad():
        logits = dense_logits(states, embeddings, None)
        expected = logits[:1, 1:].exp().sum()
        sums = torch.stack([loss(states[:1], embeddings, targets[:1], None) for _ in range(draws)])
        sums = (sums + logits[0, targets[0]]).exp()  # the loss is log(sum) - score of the target
    error = sums.std() / draws**0.5
    assert abs(sums.mean() - expected) < 5 * error
    assert error < 0.01 * expected  # or the line above could not fail


def test_the_sampled_gradient_approaches_that_of_the_full_softmax() -> None:
    states, embeddings, targets, _ = case()
    logits = dense_logits(states, embeddings, None)[:, 1:]
    full = (logits.logsumexp(dim=1) - logits[torch.arange(N), targets - 1]).mean()
    (expected,) = torch.autograd.grad(full, embeddings)

    def distance(n_negatives: int) -> float:
        torch.manual_seed(0)
        loss = SampledSoftmax(PopularNegatives(n_negatives, popularity()))
        draws = [torch.autograd.grad(loss(states, embeddings, targets, None), embeddings)[0] for _ in range(300)]
        return float((torch.stack(draws).mean(dim=0) - expected).norm() / expected.norm())

    assert distance(2048) < 0.02
    assert distance(8) > distance(2048)  # what is left is the bias of few negatives


@pytest.mark.parametrize("kind", [PopularNegatives, UniformNegatives])
def test_draws_follow_their_distribution_and_never_hold_the_padding_item(kind: type) -> None:
    torch.manual_seed(0)
    draws = 200_000
    counts = popularity()
    sampler = kind(draws // 2, counts if kind is PopularNegatives else ITEMS)
    drawn = sampler(2, torch.device("cpu"))
    assert drawn.shape == (2, draws // 2)
    found = torch.bincount(drawn.flatten(), minlength=ITEMS).double()
    weight = counts[1:].double() + 1 if kind is PopularNegatives else torch.ones(ITEMS - 1, dtype=torch.double)
    expected = torch.cat([torch.zeros(1), draws * weight / weight.sum()])
    assert found[0] == 0
    assert len(found) == ITEMS
    assert ((found - expected).abs() <= 5 * expected.sqrt()).all()
    if kind is PopularNegatives:
        expected_count = sampler.log_expected_count[1:].exp().double()
        torch.testing.assert_close(2 * expected_count, expected[1:], rtol=1e-5, atol=0)


def test_draws_repeat_with_torchs_seed() -> None:
    for sampler in (PopularNegatives(20, popularity()), UniformNegatives(20, ITEMS)):
        torch.manual_seed(5)
        first = sampler(3, torch.device("cpu"))
        assert not torch.equal(first[0], first[1])
        assert not torch.equal(first, sampler(3, torch.device("cpu")))
        torch.manual_seed(5)
        assert torch.equal(first, sampler(3, torch.device("cpu")))


@BIAS
@pytest.mark.parametrize("positions", [POSITIONS_A_DRAW, 2 * POSITIONS_A_DRAW + 3])
def test_each_group_of_positions_has_negatives_of_its_own(with_bias: bool, positions: int) -> None:
    states, embeddings, targets, bias = case(with_bias, n=positions)
    draws = -(-positions // POSITIONS_A_DRAW)
    sampler = UniformNegatives(4, ITEMS)
    torch.manual_seed(3)
    expected_negatives = sampler(draws, torch.device("cpu"))
    torch.manual_seed(3)
    target_scores, negatives, scores = score_targets_and_negatives(sampler, states, embeddings, targets, bias)
    logits = dense_logits(states, embeddings, bias)
    assert negatives.shape == scores.shape == (positions, 4)
    for position, target in enumerate(targets):
        assert target_scores[position].item() == pytest.approx(logits[position, target].item(), rel=1e-5)
        for place in range(4):
            item = expected_negatives[position // POSITIONS_A_DRAW, place]
            assert negatives[position, place] == item
            expected = -math.inf if item == target else logits[position, item].item()
            assert scores[position, place].item() == pytest.approx(expected, rel=1e-5)
    assert (scores == -torch.inf).any()  # or hits would not have been tested


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@BIAS
@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_gbce_is_the_papers_formula(with_bias: bool, t: float) -> None:
    states, embeddings, _, bias = case(with_bias, n=2)
    targets = torch.tensor([3, 8])
    negatives = [8, 4, 5]
    loss = GeneralisedBinaryCrossEntropy(Fixed(torch.tensor(negatives), torch.ones(ITEMS)), t)
    score = dense_logits(states, embeddings, bias).tolist()
    alpha = 3 / (29 - 1)
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    score = [[value - math.log(3 / beta) for value in row] for row in score]
    expected = 0.0
    for row, target in enumerate([3, 8]):
        others = [item for item in negatives if item != target]
        total = math.log(sigmoid(score[row][target]) ** beta) + sum(
            math.log(1 - sigmoid(score[row][item])) for item in others
        )
        expected += -total / (len(others) + 1) / 2
    assert loss(states, embeddings, targets, bias).item() == pytest.approx(expected, rel=1e-5)


def test_gbce_at_zero_is_binary_cross_entropy() -> None:
    states, embeddings, targets, _ = case()
    negatives = (torch.arange(ITEMS - 1) + 1)[~torch.isin(torch.arange(ITEMS - 1) + 1, targets)][:6]
    loss = GeneralisedBinaryCrossEntropy(Fixed(negatives, torch.ones(ITEMS)), 0.0)(states, embeddings, targets, None)
    columns = torch.cat([targets.unsqueeze(1), negatives.expand(N, -1)], dim=1)
    scores = dense_logits(states, embeddings, None).gather(1, columns) - math.log(6)
    labels = torch.zeros_like(scores)
    labels[:, 0] = 1
    expected = nn.functional.binary_cross_entropy_with_logits(scores, labels)
    torch.testing.assert_close(loss, expected, check_dtype=False, rtol=1e-5, atol=0)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_gbce_of_equal_scores_asks_for_no_common_shift(t: float) -> None:
    states, targets = torch.ones(N, 1, dtype=torch.float64), torch.ones(N, dtype=torch.long)
    loss = GeneralisedBinaryCrossEntropy(Fixed(torch.arange(2, 9), torch.ones(ITEMS)), t)
    embeddings = torch.zeros(ITEMS, 1, dtype=torch.float64, requires_grad=True)  # so every score is 0
    loss(states, embeddings, targets, None).backward()
    assert embeddings.grad.sum().item() == pytest.approx(0, abs=1e-7)
    assert embeddings.grad[1] < -1e-3  # the target's rises


def test_gbce_with_more_negatives_than_items_is_not_weighted_up() -> None:
    assert GeneralisedBinaryCrossEntropy(UniformNegatives(1000, ITEMS), 0.75).beta == 1


@BIAS
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_smoothed_softmax_is_the_dense_formula(with_bias: bool, share: float) -> None:
    states, embeddings, targets, bias = case(with_bias)
    loss = PopularitySmoothing(Softmax(), share, popularity().double())
    loss.popularity = loss.popularity.double()
    dense = (1 - share) * nn.functional.one_hot(targets, ITEMS) + share * popularity() / popularity().sum()
    expected = -(dense * dense_logits(states, embeddings, bias).log_softmax(dim=1)).sum(dim=1).mean()
    found = loss(states, embeddings, targets, bias)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    inputs = [tensor for tensor in (states, embeddings, bias) if tensor is not None]
    for ours, theirs in zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


def test_smoothing_a_sampled_softmax_with_every_item_is_the_dense_formula() -> None:
    states, embeddings, targets, _ = case()
    loss = PopularitySmoothing(SampledSoftmax(Fixed(torch.arange(1, ITEMS), torch.ones(ITEMS))), 0.2, popularity())
    loss.popularity = loss.popularity.double()
    dense = 0.8 * nn.functional.one_hot(targets, ITEMS) + 0.2 * popularity() / popularity().sum()
    logits = dense_logits(states, embeddings, None)[:, 1:]
    expected = -(dense[:, 1:] * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(loss(states, embeddings, targets, None), expected, check_dtype=False, rtol=1e-5, atol=0)


LOSSES = {
    "softmax": {"sequence_loss": "softmax"},
    "sampled_softmax": {"sequence_loss": "sampled_softmax", "sequence_negatives": 20},
    "gbce": {"sequence_loss": "gbce", "sequence_negatives": 20},
    "smoothed": {"sequence_popularity_smoothing": 0.1},
    "smoothed_sampled": {
        "sequence_loss": "sampled_softmax",
        "sequence_negatives": 20,
        "sequence_popularity_smoothing": 0.1,
    },
}


@pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_and_repeats(prepare, name: str, loss: str) -> None:
    runs = []
    for _ in range(2):
        prepared = prepare(name, epochs=8, learning_rate=0.02, **LOSSES[loss])
        prepared.trainer.fit(prepared.train_data, prepared.valid_data, saved=False)
        runs.append(list(prepared.trainer.train_loss_dict.values()))
    assert runs[0] == runs[1]
    assert sum(runs[0][-3:]) < sum(runs[0][:3])  # BERT4Rec masks other items in every epoch
    assert "recommendation_loss" not in "".join(prepared.model.state_dict())


@pytest.mark.parametrize("loss", LOSSES)
def test_no_target_at_all_gives_zero_and_not_nan(prepare, loss: str) -> None:
    model = prepare("BERT4RecDistill", **LOSSES[loss]).model
    items, none = model.item_embedding.weight[: model.n_items], torch.zeros(0, dtype=torch.long)
    assert model.recommendation_loss(items[none], items, none, model.output_bias).item() == 0


def test_popularity_counts_training_targets_alone(prepare) -> None:
    prepared = prepare(sequence_loss="sampled_softmax", sequence_popularity_smoothing=0.1)
    reference = SequentialDataset(prepared.config).build()[0]
    counts = torch.zeros(reference.item_num)
    for item in reference.inter_feat[reference.iid_field].tolist():
        counts[item] += 1
    smoothing = prepared.model.recommendation_loss
    torch.testing.assert_close(smoothing.popularity, counts / counts.sum())
    expected = (1024 * (counts[1:] + 1) / (counts[1:] + 1).sum()).log()
    torch.testing.assert_close(smoothing.loss.negatives.log_expected_count[1:], expected)


def test_bert4recs_mask_token_is_no_negative(prepare) -> None:
    model = prepare("BERT4RecDistill", sequence_loss="gbce", sequence_negatives=100_000).model
    drawn = model.recommendation_loss.negatives(1, torch.device("cpu"))
    assert (int(drawn.min()), int(drawn.max())) == (1, model.mask_token - 1)


def test_the_default_is_the_softmax_over_all_items(prepare) -> None:
    prepared = prepare()
    assert isinstance(prepared.model.recommendation_loss, Softmax)
    built = build_recommendation_loss(prepared.model.settings, prepared.train_data._dataset, ITEMS)
    assert isinstance(built, Softmax)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequence_loss": "gbc"}, "sequence_loss='gbc': .*did you mean 'gbce'"),
        ({"sequence_negatives": 0}, "sequence_negatives=0: .*greater than or equal to 1"),
        ({"sequence_gbce_calibration": 1.5}, r"sequence_gbce_calibration=1\.5: .*less than or equal to 1"),
        ({"sequence_popularity_smoothing": -0.1}, r"sequence_popularity_smoothing=-0\.1"),
        ({"sequence_loss": "gbce", "sequence_popularity_smoothing": 0.1}, "set sequence_loss to softmax or"),
        ({"sequence_loss": "gbce", "sequence_training": "prefix"}, "sequence_loss=gbce is for whole sequences"),
        ({"sequence_popularity_smoothing": 0.1, "sequence_training": "prefix"}, "smoothing=0.1 is for whole sequences"),
    ],
)
def test_what_no_loss_serves_is_refused(configure, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        configure(**settings)
