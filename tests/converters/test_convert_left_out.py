"""What the settings leave out in training is said when a data set is made, counted as RecBole counts."""

import json
import sys

import numpy as np
import polars as pl
import pytest
from recbole_readback import read_with_recbole

from recbole_llmdistill.cli.llmdistill import main
from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.loading_filters import count_left_out, parse_intervals
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError

INTERVALS = [
    {"user_inter_num_interval": "[3,inf)"},
    {"user_inter_num_interval": "[3,inf)", "item_inter_num_interval": "[4,inf)"},
    {"user_inter_num_interval": "(2,5]", "item_inter_num_interval": "[0,inf)"},
    {"user_inter_num_interval": "[1,2];[5,9)", "item_inter_num_interval": "[2,30]"},
    {"user_inter_num_interval": "[3,inf)", "rm_dup_inter": "first"},
    {"rm_dup_inter": "last"},
]


def log_of(seed: int, rows: int = 150) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    users, items = generator.zipf(1.5, rows) % 40, generator.zipf(1.4, rows) % 25
    return pl.DataFrame({"user_id": [f"u{user}" for user in users], "item_id": [f"i{item}" for item in items]})


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_recboles(tmp_path, seed) -> None:
    log = log_of(seed)
    log.write_csv(tmp_path / "log.csv")
    out = convert(Tables(), tmp_path / "log.csv", tmp_path / "dataset" / "own")
    for settings in INTERVALS:
        left_out = count_left_out(log, "user_id", "item_id", settings)
        with pytest.MonkeyPatch.context() as patch:
            # RecBole warns of a second interval, and the reader of these tests takes warnings for errors.
            patch.setattr("recbole_readback._Collector.emit", lambda *_: None)
            kept = read_with_recbole(out, all_fields=False, **settings).inter_feat
        assert left_out.interactions == log.height - len(kept)
        assert left_out.of_users - left_out.users == kept["user_id"].nunique()
        assert left_out.of_items - left_out.items == kept["item_id"].nunique()
        assert (left_out.of_users, left_out.of_items) == (log["user_id"].n_unique(), log["item_id"].n_unique())


def test_it_is_printed_kept_in_the_provenance_and_described(tmp_path, monkeypatch, capsys) -> None:
    rows = [(f"u{user}", f"i{item}") for user in range(10) for item in range(user)]  # u1 and u2 have fewer than three
    (tmp_path / "log.csv").write_text("user_id,item_id\n" + "".join(f"{user},{item}\n" for user, item in rows))
    monkeypatch.setattr(sys, "argv", ["llmdistill", "convert", "csv", "--input", "log.csv", "--out", "dataset/own"])
    monkeypatch.chdir(tmp_path)
    assert main() == 0
    shown = capsys.readouterr().out
    assert "in training 2 of 9 users, 0 of 9 items and 3 of 45 interactions will be left out by" in shown
    assert 'to keep them set user_inter_num_interval: "[0,inf)" in dataset/own/own.yaml' in shown
    provenance = json.loads((tmp_path / "dataset/own/provenance.json").read_text())
    assert provenance["left_out_in_training"] == {"users": 2, "items": 0, "interactions": 3}
    monkeypatch.setattr(sys, "argv", ["llmdistill", "describe", "own"])
    assert main() == 0
    assert "left out in training        2 of 9 users, 0 of 9 items and 3 of 45 interactions" in capsys.readouterr().out
    yaml = tmp_path / "dataset/own/own.yaml"
    yaml.write_text(yaml.read_text().replace("[3,inf)", "[0,inf)"))
    assert main() == 0
    assert "0 of 9 users" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["3", "[3,inf", "[a,b)", "[5,2]", "", 7])
def test_what_is_no_interval_is_refused(text) -> None:
    with pytest.raises(InputError, match="is no interval"):
        parse_intervals("user_inter_num_interval", text)
