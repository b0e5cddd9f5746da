"""What is compared with what, with which settings."""

from dataclasses import replace

import pytest

from recbole_llmdistill.comparison.plan.arm import Arm
from recbole_llmdistill.comparison.plan.arm_config import CommonSettings, configure, reference_config
from recbole_llmdistill.comparison.plan.arms import build_arms
from recbole_llmdistill.errors import InputError


def configured(_model: str) -> dict:
    return {"n_layers": 3, "sequence_training": "whole"}


def labels(arms: list[Arm]) -> list[str]:
    return [arm.label for arm in arms]


def test_a_distilled_model_brings_its_plain_twin_and_all_have_a_baseline() -> None:
    arms = build_arms(["GRU4Rec", "SASRec", "SASRecDistill", "BERT4RecDistill"], configured=configured)
    assert {arm.label: arm.baseline for arm in arms} == {
        "GRU4Rec": "SASRec (whole sequences)",
        "SASRec (prefixes)": "SASRec (whole sequences)",
        "SASRec (whole sequences)": None,
        "SASRecDistill": "SASRec (whole sequences)",
        "BERT4Rec (whole sequences)": None,
        "BERT4RecDistill": "BERT4Rec (whole sequences)",
    }
    plain = next(arm for arm in arms if arm.label == "SASRec (whole sequences)")
    assert (plain.model, dict(plain.settings)) == (
        "SASRecDistill",
        {"distill_alpha": 0.0, "item_knowledge": "none", "item_target_smoothing": 0.0},
    )


def test_without_a_distilled_model_the_first_is_the_baseline() -> None:
    arms = build_arms(["GRU4Rec", "SASRec", "GRU4Rec"])
    assert [(arm.label, arm.baseline) for arm in arms] == [("GRU4Rec", None), ("SASRec (prefixes)", "GRU4Rec")]


def test_one_baseline_for_all() -> None:
    for name in ("SASRec", "SASRec (prefixes)"):
        arms = build_arms(["SASRecDistill", "SASRec", "GRU4Rec"], baseline=name, configured=configured)
        assert {arm.baseline for arm in arms} == {"SASRec (prefixes)", None}
        assert [arm.label for arm in arms if arm.baseline is None] == ["SASRec (prefixes)"]


def test_controls_ablations_and_other_profiles() -> None:
    arms = build_arms(
        ["SASRecDistill"],
        ["shuffled", "random", "smoothed"],
        ["pooling", "layer", "beta"],
        {"PCA": "pca"},
        None,
        configured,
    )
    assert labels(arms)[:5] == [
        "SASRec (whole sequences)",
        "SASRecDistill",
        "SASRecDistill, profiles shuffled",
        "SASRecDistill, random vectors",
        "SASRec (whole sequences), smoothed by popularity",
    ]
    settings = {arm.label: dict(arm.settings) for arm in arms}
    assert settings["SASRecDistill, random vectors"] == {"vectors_control": "random"}
    smoothed = settings["SASRec (whole sequences), smoothed by popularity"]
    assert smoothed == {
        "distill_alpha": 0.0,
        "item_knowledge": "none",
        "item_target_smoothing": 0.0,
        "sequence_popularity_smoothing": 0.1,
    }
    assert settings["SASRecDistill, pooling last"] == {"distill_pooling": "last"}
    assert settings["SASRecDistill, layer 2"] == {"distill_layer": 2}
    assert settings["SASRecDistill, beta 1"] == {"distill_dynamic_beta": False}
    assert settings["SASRecDistill, PCA"] == {"vectors_path": "pca"}
    assert {arm.baseline for arm in arms[1:]} == {"SASRec (whole sequences)"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ["SASRecDistil"]}, "--models: unknown model 'SASRecDistil'; nearest: SASRecDistill, SASRec"),
        ({"models": ["SASRecDistill"], "controls": ["shufled"]}, "unknown control 'shufled'; known: shuffled, random"),
        ({"models": ["SASRecDistill"], "ablations": ["poling"]}, "did you mean 'pooling'"),
        ({"models": ["SASRec"], "ablations": ["pooling"]}, "vary a distilled model; add one, e.g. SASRecDistill"),
        ({"models": ["SASRec", "GRU4Rec"], "baseline": "GRU4Re"}, "no arm is called 'GRU4Re'; nearest: GRU4Rec"),
    ],
)
def test_unknown_names(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        build_arms(**arguments, configured=configured)


def test_what_the_distilled_model_has_anyway_is_no_variant(arms_of) -> None:
    arms = arms_of(["SASRecDistill"], [], ["pooling", "layer", "alpha"])
    names = [config.arm.label for config in arms]
    assert "SASRecDistill, pooling mean" not in names
    assert "SASRecDistill, pooling last" in names
    assert "SASRecDistill, layer 1" not in names  # -1 of two layers
    assert "SASRecDistill, layer 0" in names
    assert "SASRecDistill, alpha 0.4" not in names
    assert len({config.identity for config in arms}) == len(arms)


def test_all_arms_get_the_split_the_metrics_and_the_budget(arms_of) -> None:
    arms = arms_of(["SASRecDistill", "SASRec", "BERT4Rec", "FPMC", "BPR", "Pop"])
    shared = ("eval_args", "metrics", "topk", "valid_metric", "epochs", "stopping_step", "load_col")
    for key in shared:
        assert len({str(config.final[key]) for config in arms}) == 1, key
    final = {config.arm.label: config.final for config in arms}
    assert final["SASRecDistill"]["eval_args"]["split"] == {"LS": "valid_and_test"}
    # RecBole's defaults of a model stand, but a cross-entropy loss that refuses sampled negatives gets none.
    assert final["SASRec (prefixes)"]["train_neg_sample_args"]["distribution"] == "none"
    assert final["BPR"]["train_neg_sample_args"]["distribution"] == "uniform"
    assert final["BERT4Rec (prefixes)"]["transform"] == "mask_itemseq"


def test_settings_of_one_model_and_which_count_for_more(common, tmp_path) -> None:
    (tmp_path / "all.yaml").write_text("learning_rate: 0.1\nepochs: 7\nn_heads: 1\n")
    (tmp_path / "own.yaml").write_text("learning_rate: 0.2\nweight_decay: 0.5\n")
    more = CommonSettings(
        "tiny", (str(tmp_path / "all.yaml"),), common.settings, {"SASRec": str(tmp_path / "own.yaml")}
    )
    reference = reference_config(more)
    own, other = (configure(Arm(name, name, "other"), more, reference).final for name in ("SASRec", "GRU4Rec"))
    assert (own["learning_rate"], own["weight_decay"], own["n_heads"]) == (0.2, 0.5, 1)
    assert (other["learning_rate"], other["weight_decay"]) == (0.1, 0.0)
    assert own["epochs"] == other["epochs"] == 2  # the command line


@pytest.mark.parametrize(("key", "value"), [("sequence_popularity_smoothing", "0.1"), ("sequence_loss", "gbce")])
def test_all_arms_may_have_another_loss(common, key: str, value: str) -> None:
    changed = replace(common, settings={**common.settings, key: value})
    arm = Arm("plain", "SASRecDistill", "plain", {"distill_alpha": 0.0})
    final = configure(arm, changed, reference_config(changed)).final
    assert str(final[key]) == value


def test_a_runs_identity_is_what_changes_its_result(common, arms_of, tiny) -> None:
    def identities(**settings: str) -> list[str]:
        changed = CommonSettings("tiny", settings={**common.settings, **settings})
        reference = reference_config(changed)
        arms = [Arm("plain", "SASRecDistill", "plain", {"distill_alpha": 0.0}), Arm("d", "SASRecDistill", "distilled")]
        return [configure(arm, changed, reference).identity for arm in arms]

    plain, distilled = identities()
    assert plain != distilled
    assert identities(seed="9", state="INFO", show_progress="True", gpu_id="3") == [plain, distilled]
    assert plain not in identities(learning_rate="0.01")
    assert identities(sequence_window_overlap="0") == identities(sequence_window_overlap="0.0") != [plain, distilled]
    vectors = tiny / "tiny.useremb.npz"
    vectors.rename(tiny / "elsewhere.npz")
    assert identities(vectors_path=str(tiny / "elsewhere.npz")) == [plain, distilled]
    (tiny / "elsewhere.npz").write_bytes((tiny / "elsewhere.npz").read_bytes() + b" ")
    assert identities(vectors_path=str(tiny / "elsewhere.npz"))[0] == plain
    assert identities(vectors_path=str(tiny / "elsewhere.npz"))[1] != distilled


def test_controls_of_item_knowledge() -> None:
    def configured(_: str) -> dict:
        return {"n_layers": 2, "item_knowledge": "residual"}

    names = ["items-permuted", "items-cooccurrence", "both-shuffled"]
    arms = build_arms(["SASRecDistill"], controls=names, configured=configured)
    assert [arm.settings for arm in arms if arm.kind == "control"] == [
        {"item_control": "permuted"},
        {"item_control": "cooccurrence"},
        {"vectors_control": "shuffled", "item_control": "permuted"},
    ]
    (plain,) = (arm for arm in arms if arm.kind == "plain")
    assert plain.settings["item_knowledge"] == "none"


def test_controls_of_item_knowledge_need_item_knowledge() -> None:
    with pytest.raises(InputError, match=r"--controls=items-random: SASRecDistill has item_knowledge=none"):
        build_arms(["SASRecDistill"], controls=["items-random"])
