"""What is generated from the declared settings is up to date, and says what RecBole then has."""

from pathlib import Path

import pytest
import yaml

from recbole_llmdistill.cli.reference import COMMAND, COMMANDS, files
from recbole_llmdistill.config.defaults import OF_MODELS, TRAINING
from recbole_llmdistill.config.options import extra
from recbole_llmdistill.config.settings import fields
from recbole_llmdistill.files.resources import checkout
from recbole_llmdistill.registry import MODELS


@pytest.mark.parametrize("path", files(), ids=str)
def test_the_generated_files_are_up_to_date(path: Path) -> None:
    assert (checkout() / path).read_text(encoding="utf-8") == files()[path], f"out of date: run `{COMMAND}`"


@pytest.mark.parametrize("model", OF_MODELS)
def test_a_models_file_holds_all_our_keys_with_their_defaults(model: str) -> None:
    found = yaml.safe_load((checkout() / "properties" / "model" / f"{model}.yaml").read_text())
    assert found.keys() == {*fields(), *(one.key for one in TRAINING)}
    for key, field in fields().items():
        assert found[key] == OF_MODELS[model].get(key, field.default), key


def test_every_model_has_its_file() -> None:
    assert OF_MODELS.keys() <= MODELS.keys()


@pytest.mark.parametrize(("model", "base"), [("SASRecDistill", "SASRec"), ("BERT4RecDistill", "BERT4Rec")])
def test_a_models_own_settings_are_recboles(tiny, model: str, base: str) -> None:
    from recbole.config import Config

    own = {"n_layers", "n_heads", "hidden_size", "inner_size", "hidden_dropout_prob", "attn_dropout_prob", "hidden_act"}
    own |= {"layer_norm_eps", "initializer_range", "loss_type", *(("mask_ratio", "ft_ratio") if "BERT" in base else ())}
    settings = {"data_path": str(tiny.parent), "train_neg_sample_args": None}
    distilled, plain = (Config(name, "tiny", config_dict=settings) for name in (model, base))
    assert {key: distilled[key] for key in own} == {key: plain[key] for key in own}
    assert None not in [distilled[key] for key in own]


def test_every_key_and_every_option_of_a_command_is_on_the_page() -> None:
    page = (checkout() / "docs" / "settings.md").read_text()
    for key in fields():
        assert f"| `{key}` |" in page
    for command in COMMANDS:
        from importlib import import_module

        options = getattr(import_module(f"recbole_llmdistill.api.{command}"), f"{command.capitalize()}Options")
        section = page.split(f"## `llmdistill {command}`")[1].split("\n## ")[0]
        for name, field in options.model_fields.items():
            flag = extra(field).get("flags", [f"--{name.replace('_', '-')}"])[-1]
            assert (f"`{flag}`" in section) == (extra(field).get("cli") is not False), flag


def test_every_key_and_option_says_what_it_is() -> None:
    assert not [key for key, field in fields().items() if not field.description]
