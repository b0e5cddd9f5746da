"""Weights follow their items: whoever reads a checkpoint gets each row for its token, or a refusal, never a shift."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.data import create_dataset, data_preparation
from recbole.quick_start import load_data_and_model
from recbole.utils import get_model

from recbole_llmdistill.compat.checkpoints import read_checkpoint
from recbole_llmdistill.compat.token_tables import TokenTables, fields_with_weights
from recbole_llmdistill.errors import InputError

BOTH = pytest.mark.parametrize("name", ["SASRecDistill", "BERT4RecDistill"])
PAIRWISE = {"train_neg_sample_args": {"distribution": "uniform", "sample_num": 1, "dynamic": False}, "loss_type": "BPR"}


def rewrite(folder: Path, change) -> None:
    """Let ``change`` have the rows of the data set's ``.inter``, a list of lists of texts."""
    file = folder / "tiny.inter"
    header, *rows = file.read_text().splitlines()
    rows = change([row.split("\t") for row in rows])
    file.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")


def other_order(rows: list[list[str]]) -> list[list[str]]:
    return sorted(rows, key=lambda row: row[1])


def other_items(rows: list[list[str]]) -> list[list[str]]:
    return [[user, f"x{item}", *more] for user, item, *more in rows]


def item_rows(model, dataset) -> dict[str, np.ndarray]:
    """Embedding of each item by its token."""
    weights = model.item_embedding.weight.detach().numpy()
    return {token: weights[number] for number, token in enumerate(dataset.field2id_token["item_id"])}


@pytest.fixture
def trained(prepare):
    """Function (model) -> a model after one epoch, with its checkpoint."""

    def make(name: str = "SASRecDistill", **settings):
        prepared = prepare(name, **{"epochs": 1, "distill_epochs": 1, **settings})
        prepared.trainer.fit(prepared.train_data, prepared.valid_data)
        return prepared

    return make


@BOTH
def test_a_warm_start_on_rows_in_another_order_ranks_as_the_checkpoint(trained, prepare, tiny, name: str) -> None:
    first = trained(name, epochs=3)
    result = first.trainer.evaluate(first.test_data)
    rewrite(tiny, other_order)
    second = prepare(name, distill_warm_start=first.trainer.saved_model_file)
    before, now = (item_rows(p.model, p.train_data._dataset) for p in (first, second))
    assert list(before) != list(now)
    for token, row in before.items():
        assert (now[token] == row).all()
    assert second.trainer.evaluate(second.test_data, load_best_model=False) == result


def test_the_mask_token_and_the_bias_follow(trained, prepare, tiny) -> None:
    first = trained("BERT4RecDistill")
    torch.nn.init.normal_(first.model.output_bias)
    first.trainer._save_checkpoint(0)
    rewrite(tiny, other_order)
    second = prepare("BERT4RecDistill", distill_warm_start=first.trainer.saved_model_file)
    assert torch.equal(second.model.item_embedding.weight[-1], first.model.item_embedding.weight[-1])
    tokens = first.train_data._dataset.field2id_token["item_id"]
    there = second.train_data._dataset.field2token_id["item_id"]
    for number, token in enumerate(tokens):
        assert second.model.output_bias[there[token]] == first.model.output_bias[number]


@BOTH
def test_every_weight_as_long_as_the_catalogue_is_known_to_have_a_row_an_item(prepare, name: str) -> None:
    model = prepare(name).model
    sized = {key for key, weight in model.state_dict().items() if {model.n_items, model.n_items + 1} & {*weight.shape}}
    assert sized == set(model.item_rows)


@BOTH
def test_a_warm_start_from_other_items_of_the_same_number_is_refused(trained, prepare, tiny, name: str) -> None:
    file = trained(name).trainer.saved_model_file
    rewrite(tiny, other_items)
    with pytest.raises(InputError, match=r"distill_warm_start: .*other items: of its 60 values of item_id 60 are not"):
        prepare(name, distill_warm_start=file)


def test_without_tokens_a_warm_start_warns_once_and_takes_rows_by_number(trained, prepare, tiny, caplog) -> None:
    file = trained().trainer.saved_model_file
    state = torch.load(file, weights_only=True)
    del state["token_tables"]
    torch.save(state, file)
    with caplog.at_level(logging.WARNING):
        prepare(distill_warm_start=file)
    assert [r.message for r in caplog.records if "does not say which item each of its rows is of" in r.message]
    assert sum("does not say" in record.message for record in caplog.records) == 1
    rewrite(tiny, lambda rows: [*rows, ["u0", "new", "1", "9999"]])
    with pytest.raises(InputError, match=r"distill_warm_start: .*item_embedding\.weight"):
        prepare(distill_warm_start=file)


def test_a_checkpoint_in_another_order_of_items_is_not_evaluated(trained, tiny) -> None:
    file = trained().trainer.saved_model_file
    load_data_and_model(file)
    rewrite(tiny, other_order)
    with pytest.raises(InputError, match="does not belong to this data set: its values of item_id are in another"):
        load_data_and_model(file)


def test_nor_by_a_trainer(trained, prepare, tiny) -> None:
    file = trained().trainer.saved_model_file
    rewrite(tiny, other_order)
    second = prepare()
    with pytest.raises(InputError, match="does not belong to this data set"):
        second.trainer.evaluate(second.test_data, model_file=file)
    with pytest.raises(InputError, match="does not belong to this data set"):
        second.trainer.resume_checkpoint(file)


def test_new_users_are_no_matter_to_a_model_of_items(trained, tiny) -> None:
    file = trained().trainer.saved_model_file
    rewrite(tiny, lambda rows: [*rows, *(["new", f"i{number}", "1", str(number)] for number in range(1, 4))])
    load_data_and_model(file)


def renamed_user(rows: list[list[str]]) -> list[list[str]]:
    return [["someone" if row[0] == "u0" else row[0], *row[1:]] for row in rows]


@pytest.mark.parametrize("name", ["FPMC", "BPR"])
def test_but_other_users_are_to_a_model_of_users(trained, tiny, name: str) -> None:
    file = trained(name, **PAIRWISE).trainer.saved_model_file
    rewrite(tiny, renamed_user)
    with pytest.raises(InputError, match=r"of its 40 values of user_id 1 are not in the data set"):
        load_data_and_model(file)


def test_features_in_another_order_are_noticed_where_a_model_has_weights_for_them(trained, tiny) -> None:
    def write_items(shift: int) -> None:
        rows = [f"i{n}\tc{(n + shift) % 7}" for n in range(60)]
        (tiny / "tiny.item").write_text("\n".join(["item_id:token\tclass:token", *rows]) + "\n")

    write_items(0)
    columns = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]}
    prepared = trained("SASRecF", load_col=columns, selected_features=["class"], pooling_mode="mean")
    write_items(3)
    with pytest.raises(InputError, match=r"its values of class are in another order"):
        load_data_and_model(prepared.trainer.saved_model_file)


def test_what_a_checkpoint_carries_is_read_without_this_package(trained) -> None:
    prepared = trained()
    dataset = prepared.train_data._dataset
    tables = torch.load(prepared.trainer.saved_model_file, weights_only=True)["token_tables"]
    assert (tables["version"], tables["item_field"], list(tables["tables"])) == (1, "item_id", ["item_id"])
    table = tables["tables"]["item_id"]
    content, offsets = bytes(table["utf8"].tolist()), table["offsets"].tolist()
    tokens = [content[offsets[n] : offsets[n + 1]].decode() for n in range(len(offsets) - 1)]
    assert tokens == list(dataset.field2id_token["item_id"])


@pytest.mark.parametrize("tokens", [["[PAD]"], ["[PAD]", "", "ü", "\udcff", "a\tb"], ["[PAD]", "x" * 10_000]])
def test_any_token_survives(tokens: list[str], tmp_path) -> None:
    plain = TokenTables({"item_id": np.array(tokens)}, "item_id", "user_id").to_plain(["item_id"])
    torch.save({"token_tables": plain}, tmp_path / "x.pth")
    read = TokenTables.from_checkpoint(read_checkpoint(tmp_path / "x.pth"), "x.pth")
    assert read.tokens("item_id") == tokens


def with_table(**changes) -> dict:
    table = {"utf8": torch.zeros(4, dtype=torch.uint8), "offsets": torch.tensor([0, 2, 4]), **changes}
    return {"version": 1, "item_field": "item_id", "user_field": None, "tables": {"item_id": table}}


@pytest.mark.parametrize(
    "plain",
    [3, {}, {"version": 1}, with_table(utf8=1), with_table(utf8=torch.zeros(4)), with_table(offsets=torch.zeros(3)),
     with_table(offsets=torch.tensor([0, 9])), with_table(offsets=torch.tensor([0, 3, 1, 4])),
     with_table(offsets=torch.zeros(0, dtype=torch.int64)), with_table(utf8=torch.tensor([255] * 4).to(torch.uint8))],
)  # fmt: skip
def test_damaged_tables_are_told(plain) -> None:
    with pytest.raises(InputError, match=r"x\.pth: its token_tables are damaged"):
        TokenTables.from_checkpoint({"token_tables": plain}, "x.pth")


def test_tables_of_a_later_version_are_told() -> None:
    with pytest.raises(InputError, match="have version 2, known here is 1; update"):
        TokenTables.from_checkpoint({"token_tables": {"version": 2}}, "x.pth")


@pytest.mark.parametrize(
    ("name", "fields"), [("SASRec", {"item_id"}), ("BPR", {"user_id", "item_id"}), ("FPMC", {"user_id", "item_id"})]
)
def test_fields_that_a_model_has_weights_for(configure, name: str, fields: set[str]) -> None:
    config = configure(name, **({} if name == "SASRec" else PAIRWISE))
    train_data, *_ = data_preparation(config, create_dataset(config))
    assert set(fields_with_weights(get_model(name)(config, train_data._dataset))) == fields
