"""What both models share: the total loss, gradients by stage, and weights that are the base model's."""

import pytest
import torch
from recbole.model.sequential_recommender import BERT4Rec, SASRec

from recbole_llmdistill.data.user_vectors import load_user_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation import total_loss
from recbole_llmdistill.model.distillation_model import resolve_layer

BOTH = pytest.mark.parametrize(("name", "base"), [("SASRecDistill", SASRec), ("BERT4RecDistill", BERT4Rec)])


def begin(prepared):
    """Enter stage one as the trainer does; returns a training batch."""
    profiles = load_user_vectors(prepared.train_data._dataset, prepared.model.settings)
    prepared.model.begin_distillation(profiles, prepared.train_data._dataset[:2])
    return next(iter(prepared.train_data))


@BOTH
@pytest.mark.parametrize("dynamic", [True, False])
def test_total_loss_is_alpha_beta_distil_plus_one_minus_alpha_rec(
    prepare, name: str, base: type, dynamic: bool
) -> None:
    prepared = prepare(name, distill_alpha=0.3, distill_dynamic_beta=dynamic)
    batch = begin(prepared)
    total = prepared.model.calculate_loss(batch)
    parts = prepared.model.report.take()
    beta = parts["recommendation_loss"] / parts["distillation_loss"] if dynamic else 1.0
    assert parts["beta"] == pytest.approx(beta, rel=1e-5)
    expected = 0.3 * beta * parts["distillation_loss"] + 0.7 * parts["recommendation_loss"]
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_beta_is_capped_and_carries_no_gradient(prepare) -> None:
    settings = prepare(distill_beta_cap=2.5, distill_alpha=0.3).model.settings
    recommendation, distillation = torch.tensor(7.0, requires_grad=True), torch.tensor(1e-3, requires_grad=True)
    loss, beta = total_loss(recommendation, distillation, settings)
    assert beta == 2.5
    assert not beta.requires_grad
    loss.backward()
    assert (recommendation.grad.item(), distillation.grad.item()) == pytest.approx((0.7, 0.3 * 2.5))
    _, beta = total_loss(torch.tensor(1.0), torch.tensor(0.0), settings)
    assert beta == 2.5  # a loss of 0 must not give inf


@BOTH
def test_gradient_reaches_the_encoder_in_stage_one_and_no_head_in_stage_two(prepare, name: str, base: type) -> None:
    prepared = prepare(name, distill_alpha=1.0, distill_pooling="attention")
    model, batch = prepared.model, begin(prepared)
    model.calculate_loss(batch).backward()  # alpha 1: the distillation loss alone
    assert model.trm_encoder.layer[0].multi_head_attention.query.weight.grad.abs().sum() > 0
    assert model.item_embedding.weight.grad.abs().sum() > 0
    assert all(
        p.grad.abs().sum() > 0 for key, p in model.distillation_head.named_parameters() if key.endswith("weight")
    )

    model.zero_grad(set_to_none=True)
    head = model.distillation_head
    model.end_distillation()
    model.calculate_loss(batch).backward()
    assert model.item_embedding.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in head.parameters())


def test_a_lower_layer_leaves_the_layers_above_without_gradient(prepare) -> None:
    prepared = prepare(distill_alpha=1.0, distill_layer=0)
    batch = begin(prepared)
    prepared.model.calculate_loss(batch).backward()
    gradients = [layer.feed_forward.dense_1.weight.grad for layer in prepared.model.trm_encoder.layer]
    assert gradients[0].abs().sum() > 0
    assert gradients[1] is None or gradients[1].abs().sum() == 0


@BOTH
def test_state_dict_is_the_base_models(prepare, name: str, base: type) -> None:
    prepared = prepare(name)
    begin(prepared)
    reference = base(prepared.config, prepared.train_data._dataset)
    state = prepared.model.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in reference.state_dict().items()}
    reference.load_state_dict(state)  # ours into RecBole's
    prepared.model.load_state_dict(base(prepared.config, prepared.train_data._dataset).state_dict())  # and back


@BOTH
def test_scores_equal_the_base_models_bit_for_bit(prepare, name: str, base: type) -> None:
    prepared = prepare(name, distill_alpha=0.0)
    reference = base(prepared.config, prepared.train_data._dataset)
    reference.load_state_dict(prepared.model.state_dict())
    for interaction, *_ in prepared.test_data:
        ours = prepared.model.eval().full_sort_predict(interaction)
        assert torch.equal(ours, reference.eval().full_sort_predict(interaction))


@BOTH
def test_no_profile_file_is_needed_outside_stage_one(prepare, tiny, name: str, base: type) -> None:
    (tiny / "tiny.useremb.npz").unlink()
    prepared = prepare(name, distill_alpha=0.0, epochs=1)
    prepared.trainer.fit(prepared.train_data, prepared.valid_data, saved=False)
    assert prepared.trainer.evaluate(prepared.test_data, load_best_model=False)["ndcg@10"] >= 0


@pytest.mark.parametrize(("layer", "index"), [(0, 0), (1, 1), (-1, 1), (-2, 0)])
def test_layers_count_from_zero_or_from_the_last(layer: int, index: int) -> None:
    assert resolve_layer(layer, 2) == index


@pytest.mark.parametrize("layer", [2, -3, 0.5])
def test_a_layer_out_of_range_is_refused(configure, layer) -> None:
    with pytest.raises(InputError, match="distill_layer"):
        configure(distill_layer=layer)
