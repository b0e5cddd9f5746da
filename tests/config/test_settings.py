"""Keys and values of ours: RecBole's precedence, and a clear line for what is not allowed."""

import pytest
from recbole.config import Config

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.errors import InputError


def test_defaults_lie_below_file_dict_and_command_line(tmp_path, monkeypatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("distill_alpha: 0.1\nlearning_rate: 0.01\nepochs: 7\n")

    def config(**settings) -> Config:
        return Config("SASRecDistill", "ml-100k", config_file_list=[str(file)], config_dict=settings)

    assert Config("SASRecDistill", "ml-100k")["distill_alpha"] == 0.4
    assert config()["distill_alpha"] == 0.1
    assert config()["learning_rate"] == 0.01
    assert config(distill_alpha=0.2)["distill_alpha"] == 0.2
    monkeypatch.setattr("sys.argv", ["run", "--distill_alpha=0.3", "--epochs=9"])
    assert config(distill_alpha=0.2)["distill_alpha"] == 0.3
    assert config()["epochs"] == 9


def test_other_models_keep_recboles_defaults() -> None:
    config = Config("SASRec", "ml-100k", config_dict={"train_neg_sample_args": None})
    assert config["epochs"] == 300
    assert config["train_batch_size"] == 2048
    assert "distill_alpha" not in config


def test_the_paper_preset_lies_below_the_users_settings() -> None:
    config = Config("SASRecDistill", "ml-100k", config_dict={"distill_preset": "paper", "distill_alpha": 0.65})
    assert config["distill_bridge"] == "down"
    assert config["learner"] == "adamw"
    assert config["distill_beta_cap"] == float("inf")
    assert config["distill_alpha"] == 0.65


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("distill_alpa", 0.3, r"unknown key 'distill_alpa': did you mean 'distill_alpha'\? Known keys: .*vectors_path"),
        ("profile_file", "x", "unknown key 'profile_file': did you mean 'profile_"),
        ("train_sequence", "whole", r"unknown key 'train_sequence': did you mean 'sequence_training'\?"),
        ("distill_loss", "mes", r"distill_loss='mes': .*'contrastive', 'cosine', 'mse' or 'rmse'; did you mean 'mse'"),
        ("distill_pooling", "max", "distill_pooling='max': .*'mean', 'exponential', 'attention', 'last' or 'output'"),
        ("distill_bridge", "sideways", "distill_bridge='sideways': .*'up', 'down' or 'none'"),
        ("distill_alpha", 1.5, r"distill_alpha=1\.5: .*less than or equal to 1"),
        ("distill_alpha", "much", "distill_alpha='much'"),
        ("distill_epochs", -1, "distill_epochs=-1"),
        ("distill_temperature", 0, "distill_temperature=0"),
        ("distill_preset", "papper", "distill_preset='papper'"),
        ("vectors_min_coverage", 2, "vectors_min_coverage=2"),
        ("profile_split_check", "maybe", "profile_split_check='maybe': .*'error', 'warn' or 'off'"),
        ("eval_exclude_seen", "perhaps", "eval_exclude_seen='perhaps'"),
        ("eval_exclude_sen", True, "unknown key 'eval_exclude_sen': did you mean 'eval_exclude_seen'"),
        ("sequence_training", "half", "sequence_training='half': .*'whole' or 'prefix'"),
    ],
)
def test_what_is_not_allowed_is_refused_at_start(configure, key: str, value, message: str) -> None:
    with pytest.raises(InputError, match=message):
        configure(**{key: value})


def test_bpr_needs_prefixes(configure) -> None:
    negatives = {"distribution": "uniform", "sample_num": 1, "alpha": 1.0, "dynamic": False, "candidate_num": 0}
    with pytest.raises(InputError, match=r"loss_type='BPR'.*sequence_training=prefix"):
        configure(loss_type="BPR", train_neg_sample_args=negatives)
    assert configure(loss_type="BPR", train_neg_sample_args=negatives, sequence_training="prefix")


@pytest.mark.parametrize(
    ("alpha", "distill_epochs", "epochs", "expected"),
    [
        (0.4, 0.3, 50, 15),
        (0.4, 12, 25, 12),
        (0.4, 1, 50, 1),
        (0.4, 0, 50, 0),
        (0.0, 0.3, 50, 0),
        (0.4, 0.5, 5, 2),
        (0.4, 0.3, 1, 1),
    ],
)
def test_length_of_stage_one(configure, alpha, distill_epochs, epochs, expected) -> None:
    settings = DistillationSettings.from_config(configure(distill_alpha=alpha, distill_epochs=distill_epochs))
    assert settings.distillation_epochs(epochs) == expected


def test_time_is_loaded_though_recboles_default_leaves_it_out(tiny) -> None:
    config = Config("SASRecDistill", "tiny", config_dict={"data_path": str(tiny.parent)})
    assert config["load_col"]["inter"] == ["user_id", "item_id", "timestamp"]
