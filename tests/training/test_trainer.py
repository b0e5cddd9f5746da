"""Two stages: the switch, early stopping, the log, and an exact continuation after an interruption."""

import logging
import math
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.training_report import CollapseWatch

BOTH = pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])


class Interrupted(Exception):
    pass


def script_validation(trainer, scores: list[float]) -> None:
    """Let the validation of epoch e give ``scores[e]``."""
    remaining = iter(scores)

    def validate(*_args, **_kwargs):
        score = next(remaining)
        return score, {"ndcg@10": score}

    trainer._valid_epoch = validate


def fit(prepared, **options) -> list[int]:
    """Train; returns the epochs that were validated."""
    epochs: list[int] = []
    prepared.trainer.fit(
        prepared.train_data, prepared.valid_data, callback_fn=lambda epoch, _: epochs.append(epoch), **options
    )
    return epochs


def test_stage_one_ends_at_distill_epochs(prepare) -> None:
    prepared = prepare(epochs=4, distill_epochs=2)
    distilling = []
    prepared.trainer.fit(
        prepared.train_data,
        prepared.valid_data,
        callback_fn=lambda *_: distilling.append("distillation_loss" in prepared.trainer.epoch_means),
    )
    assert distilling == [True, True, False, False]


@pytest.mark.parametrize("learner", ["adam", "sgd", "rmsprop"])
def test_every_parameter_group_is_updated_in_one_pass_where_pytorch_can(prepare, learner: str) -> None:
    prepared = prepare(epochs=2, distill_epochs=2, learner=learner)
    fused = []
    prepared.trainer.fit(
        prepared.train_data,
        prepared.valid_data,
        callback_fn=lambda *_: fused.append([g.get("fused") for g in prepared.trainer.optimizer.param_groups]),
    )
    assert fused == [[learner != "rmsprop" or None] * 2] * 2


def test_the_head_learns_in_stage_one_and_is_gone_in_stage_two(prepare) -> None:
    prepared = prepare(epochs=3, distill_epochs=2)
    weights, groups = [], []

    def look(*_) -> None:
        head = prepared.model.distillation_head
        weights.append(head and head.bridge.student.weight.detach().clone())
        groups.append(len(prepared.trainer.optimizer.param_groups))

    prepared.trainer.fit(prepared.train_data, prepared.valid_data, callback_fn=look)
    assert not torch.equal(weights[0], weights[1])
    assert weights[2] is None
    assert groups == [2, 2, 1]


def test_early_stopping_cannot_end_the_run_in_stage_one(prepare) -> None:
    prepared = prepare(epochs=8, distill_epochs=6, stopping_step=1)
    script_validation(prepared.trainer, [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.95, 0.96])
    assert fit(prepared) == list(range(8))


def test_patience_starts_anew_at_the_switch(prepare) -> None:
    # Best in epoch 0; stage two starts with epoch 4 and has a patience of 2 validations without a gain.
    prepared = prepare(epochs=12, distill_epochs=4, stopping_step=2)
    script_validation(prepared.trainer, [0.9] + [0.1] * 11)
    assert fit(prepared) == list(range(7))  # epochs 4 and 5 use it up, the next one stops the run


def test_patience_in_stage_two_is_recboles_after_a_gain(prepare) -> None:
    prepared = prepare(epochs=12, distill_epochs=4, stopping_step=2)
    script_validation(prepared.trainer, [0.5, 0.1, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    stopped = fit(prepared)
    plain = prepare(epochs=12, distill_alpha=0.0, stopping_step=2)
    script_validation(plain.trainer, [0.6] + [0.1] * 11)
    assert len(stopped) - 4 == len(fit(plain))


def test_both_losses_are_logged_apart(prepare, caplog) -> None:
    prepared = prepare(epochs=2, distill_epochs=1, state="INFO")
    with caplog.at_level(logging.INFO):
        fit(prepared)
    first, second = (
        record.message for record in caplog.records if "training" in record.message and "time" in record.message
    )
    for name in ("recommendation loss", "distillation loss", "beta", "target spread"):
        assert f"{name}: " in first
    assert "recommendation loss: " in second
    assert "distillation loss" not in second
    events = EventAccumulator(prepared.trainer.tensorboard.log_dir)
    prepared.trainer.tensorboard.flush()
    events.Reload()
    assert [event.step for event in events.Scalars("Distillation/distillation_loss")] == [0]
    assert [event.step for event in events.Scalars("Distillation/recommendation_loss")] == [0, 1]


def test_gradients_are_clipped_by_default(configure) -> None:
    assert configure()["clip_grad_norm"] == {"max_norm": 0.5}


@BOTH
@pytest.mark.parametrize("interrupted_after", [1, 2, 3], ids=["stage-one", "switch", "stage-two"])
def test_resumed_equals_uninterrupted(prepare, name: str, interrupted_after: int) -> None:
    settings = {"epochs": 6, "distill_epochs": 3, "vectors_aggregation": "attention"}
    whole = prepare(name, checkpoint_dir="whole", **settings)
    whole.trainer.fit(whole.train_data, whole.valid_data)

    def stop(epoch: int, _score: float) -> None:
        if epoch == interrupted_after:
            raise Interrupted

    first = prepare(name, checkpoint_dir="half", **settings)
    with pytest.raises(Interrupted):
        first.trainer.fit(first.train_data, first.valid_data, callback_fn=stop)
    torch.manual_seed(99)  # the continuation must not depend on what the new process did before
    second = prepare(name, checkpoint_dir="half", distill_resume=str(first.trainer.resume_file), **settings)
    torch.rand(5)
    epochs = fit(second)

    assert epochs == list(range(interrupted_after + 1, 6))
    for key, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[key], value), key
    assert second.trainer.train_loss_dict == whole.trainer.train_loss_dict
    assert second.trainer.best_valid_result == whole.trainer.best_valid_result
    assert second.trainer.evaluate(second.test_data) == whole.trainer.evaluate(whole.test_data)


def test_a_finished_run_leaves_no_resume_file(prepare) -> None:
    prepared = prepare(epochs=1)
    fit(prepared)
    assert not prepared.trainer.resume_file.exists()


def test_resuming_with_other_settings_is_refused(prepare) -> None:
    def stop(*_) -> None:
        raise Interrupted

    first = prepare()
    with pytest.raises(Interrupted):
        first.trainer.fit(first.train_data, first.valid_data, callback_fn=stop)
    second = prepare(learning_rate=0.5, distill_resume=str(first.trainer.resume_file))
    with pytest.raises(InputError, match=r"other settings: learning_rate=0\.001 then, 0\.5 now"):
        fit(second)


def test_resuming_from_finished_weights_is_refused(prepare) -> None:
    first = prepare(epochs=1)
    fit(first)
    second = prepare(epochs=2, distill_resume=first.trainer.saved_model_file)
    with pytest.raises(InputError, match=r"no \.resume file.*distill_warm_start"):
        fit(second)


def interrupted(prepare, **settings):
    """A run stopped after its first validation."""

    def stop(*_) -> None:
        raise Interrupted

    prepared = prepare(**settings)
    with pytest.raises(Interrupted):
        prepared.trainer.fit(prepared.train_data, prepared.valid_data, callback_fn=stop)
    return prepared


def test_a_resumed_run_writes_beside_its_state_and_nowhere_else(prepare, tmp_path) -> None:
    first = interrupted(prepare, checkpoint_dir="first")
    folder = tmp_path / "moved"
    (tmp_path / "first").rename(folder)
    state = torch.load(folder / first.trainer.resume_file.name, weights_only=True)
    torch.save({**state, "saved_model_file": str(tmp_path / "elsewhere.pth")}, folder / "x.resume")
    (folder / Path(first.trainer.saved_model_file).name).rename(folder / "x.pth")
    second = prepare(distill_resume=str(folder / "x.resume"))
    fit(second)
    assert second.trainer.saved_model_file == str(folder / "x.pth")
    assert not (tmp_path / "elsewhere.pth").exists()


def test_a_resumed_run_needs_its_best_weights(prepare) -> None:
    first = interrupted(prepare)
    Path(first.trainer.saved_model_file).unlink()
    second = prepare(distill_resume=str(first.trainer.resume_file))
    with pytest.raises(InputError, match="the best weights of the run so far, is not beside"):
        fit(second)


@pytest.mark.parametrize("change", ["order", "more", "users"])
def test_resuming_on_other_interactions_is_refused(prepare, tiny, change: str) -> None:
    first = interrupted(prepare)
    header, *rows = (tiny / "tiny.inter").read_text().splitlines()
    if change == "order":
        rows.sort(key=lambda row: row.split("\t")[1])
    elif change == "more":
        item = next(f"i{n}" for n in range(60) if not any(row.startswith(f"u0\ti{n}\t") for row in rows))
        rows.append(f"u0\t{item}\t1\t99999")
    else:
        rows = [row.replace("u0\t", "someone\t") for row in rows]
    (tiny / "tiny.inter").write_text("\n".join([header, *rows]) + "\n")
    second = prepare(distill_resume=str(first.trainer.resume_file))
    expected = (
        "on other interactions of these users and items" if change == "more" else "does not belong to this data set"
    )
    with pytest.raises(InputError, match=f"distill_resume: .*{expected}"):
        fit(second)


@pytest.mark.parametrize(
    "damage",
    [{"optimizer": {}}, {"epoch": "a"}, {"random_states": []}, {"state_dict": {}}, {"head": None}, {"config": 1},
     {"random_states": [{"python": 1}]}, {"token_tables": {"version": 1}}, {"interactions": None}],
)  # fmt: skip
def test_a_damaged_state_is_told_in_one_line(prepare, damage: dict) -> None:
    first = interrupted(prepare)
    file = first.trainer.resume_file
    torch.save({**torch.load(file, weights_only=True), **damage}, file)
    second = prepare(distill_resume=str(file))
    with pytest.raises(InputError, match=r"^distill_resume: [^\n]*$"):
        fit(second)


def test_saving_the_loaders_does_not_stop_an_exact_continuation(prepare) -> None:
    whole = prepare(checkpoint_dir="whole", save_dataloaders=True)
    whole.trainer.fit(whole.train_data, whole.valid_data)
    first = interrupted(prepare, checkpoint_dir="half", save_dataloaders=True)
    second = prepare(checkpoint_dir="half", save_dataloaders=True, distill_resume=str(first.trainer.resume_file))
    fit(second)
    for key, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[key], value), key


def test_same_seed_same_result(prepare) -> None:
    states = []
    for _ in range(2):
        prepared = prepare()
        fit(prepared)
        states.append(prepared.model.state_dict())
    for key, value in states[0].items():
        assert torch.equal(states[1][key], value), key


def test_a_run_without_validation_can_be_saved_and_resumed(prepare) -> None:
    prepared = prepare(epochs=2)
    prepared.trainer.fit(prepared.train_data)
    assert torch.load(prepared.trainer.saved_model_file, weights_only=True)["epoch"] == 1


def test_a_collapsing_target_is_warned_of_once() -> None:
    watch = CollapseWatch()
    assert watch.warning({"recommendation_loss": 6.0}, 100) is None
    assert watch.warning({"target_spread": 1.0, "beta": 2.0}, 100) is None
    assert watch.warning({"target_spread": 0.2, "beta": 10.0}, 100) is None
    warning = watch.warning({"target_spread": 0.05, "beta": 90.0}, 100)
    assert "collapsing" in warning
    assert "distill_bridge=up" in warning
    assert watch.warning({"target_spread": 0.01, "beta": 99.0}, 100) is None


def test_a_trainable_target_collapses_and_the_trainer_says_so(prepare, caplog) -> None:
    # Bridge down with the distillation loss alone: the cheapest way to agree is to agree on nothing.
    prepared = prepare(
        epochs=40,
        distill_epochs=40,
        distill_alpha=1.0,
        distill_dynamic_beta=False,
        distill_bridge="down",
        learning_rate=0.02,
        clip_grad_norm=None,
    )
    with caplog.at_level(logging.WARNING):
        prepared.trainer.fit(prepared.train_data, saved=False)
    assert "The distillation target is collapsing" in caplog.text
    assert math.isfinite(prepared.trainer.train_loss_dict[39])


@BOTH
@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "gbce"])
def test_half_precision_changes_the_loss_little(prepare, name: str, loss: str) -> None:
    exact, half = ({"enable_amp": amp, "epochs": 2, "sequence_loss": loss} for amp in (False, True))
    curves = []
    for settings in (exact, half):
        prepared = prepare(name, **settings)
        prepared.trainer.fit(prepared.train_data, saved=False)
        curves.append(list(prepared.trainer.train_loss_dict.values()))
    assert curves[0] != curves[1]
    assert curves[1] == pytest.approx(curves[0], rel=0.01)
