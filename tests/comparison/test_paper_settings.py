"""The yamls in benchmarks/paper: RecBole loads them, with the numbers of the published table."""

from pathlib import Path

import pytest

from recbole_llmdistill.comparison.plan.arm_config import CommonSettings, reference_config
from recbole_llmdistill.comparison.plan.prepare import configured_arms
from recbole_llmdistill.config.model_names import base_model
from recbole_llmdistill.config.recbole_config import build_config

PAPER = Path(__file__).resolve().parents[2] / "benchmarks" / "paper"

# data, model: sizes, dropout, batch, rate, epochs, distil until, layer k, pooling, loss, alpha, beta, bridge
PUBLISHED = """
beauty sasrec      4/128/2 .3 256 5e-4   25  12 3 mean        mse  .4  yes down
beauty bert4rec    4/128/2 .3 256 5e-4   60  20 3 mean        mse  .4  yes down
ml-20m sasrec      4/256/4 .2 256 7.5e-4 200 30 1 exponential mse  .8  no  down
ml-20m bert4rec    4/256/2 .2 256 7.5e-4 100 20 3 exponential mse  .8  no  none
kion sasrec        4/64/4  .3 256 5e-4   30  8  3 mean        rmse .65 yes down
kion bert4rec      4/64/2  .3 256 1e-4   30  20 3 mean        mse  .6  no  down
amazon-m2 sasrec   2/64/8  .2 128 5e-4   30  10 1 exponential rmse .8  no  down
amazon-m2 bert4rec 2/64/8  .3 128 5e-4   100 50 1 exponential rmse .6  yes down
"""
ROWS = [line.split() for line in PUBLISHED.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_a_row_of_the_published_table(row: list[str]) -> None:
    data, model, sizes, dropout, batch, rate, epochs, until, layer, pooling, loss, alpha, beta, bridge = row
    config = build_config(None, None, [str(PAPER / f"{data}-{model}.yaml")])
    assert base_model(config["model"]).lower() == model
    assert [config["n_layers"], config["hidden_size"], config["n_heads"]] == [int(size) for size in sizes.split("/")]
    assert config["hidden_dropout_prob"] == config["attn_dropout_prob"] == float(dropout)
    assert config["train_batch_size"] == int(batch)
    assert config["learning_rate"] == float(rate)
    assert (config["epochs"], config["distill_epochs"]) == (int(epochs), int(until))
    assert config["distill_layer"] == int(layer)
    assert (config["distill_pooling"], config["distill_pooling_gamma"]) == (pooling, 0.1)
    assert config["distill_loss"] == loss
    assert config["distill_alpha"] == float(alpha)
    assert config["distill_dynamic_beta"] is (beta == "yes")
    assert config["distill_bridge"] == bridge
    assert config["MAX_ITEM_LIST_LENGTH"] == 50
    # The preset, and what the paper says of all rows.
    assert (config["learner"], config["clip_grad_norm"], config["distill_beta_cap"]) == (
        *("adamw", {"max_norm": 0.5}, float("inf")),
    )
    if model == "bert4rec":
        assert config["mask_ratio"] == 0.15


def test_there_is_a_yaml_for_every_row_and_for_what_can_be_run_here() -> None:
    run_here = {"ml-100k", "ml-100k-global-time", "amazon-beauty"}
    of_models = {"ml-100k-bert4rec", "ml-100k-prefixes"}
    expected = {f"{row[0]}-{row[1]}" for row in ROWS} | run_here | of_models
    assert {path.stem for path in PAPER.glob("*.yaml")} == expected
    for name in run_here:
        config = build_config("SASRecDistill", None, [str(PAPER / f"{name}.yaml")])
        assert config["dataset"] == name.removesuffix("-time")


def test_a_row_as_the_settings_of_one_model_in_a_comparison() -> None:
    file = str(PAPER / "beauty-sasrec.yaml")
    common = CommonSettings("ml-100k", settings={"epochs": "9"}, settings_of={"SASRecDistill": file})
    arms = configured_arms(common, reference_config(common), ["SASRecDistill", "BERT4RecDistill"], ["shuffled"])
    final = {config.arm.label: config.final for config in arms}
    sizes = {label: settings["hidden_size"] for label, settings in final.items()}
    assert sizes == {
        "SASRec (whole sequences)": 128,
        "SASRecDistill": 128,
        "SASRecDistill, profiles shuffled": 128,
        "BERT4Rec (whole sequences)": 64,
        "BERT4RecDistill": 64,
        "BERT4RecDistill, profiles shuffled": 64,
    }
    assert {settings["dataset"] for settings in final.values()} == {"ml-100k"}
    assert {settings["epochs"] for settings in final.values()} == {9}
    assert final["SASRec (whole sequences)"]["distill_alpha"] == 0.0
