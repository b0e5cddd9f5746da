"""What every converter declares, and one that a stranger adds."""

import sys
from pathlib import Path

import pytest
import yaml
from part_contract import check_options, drop_module

from recbole_llmdistill import dataset_converters
from recbole_llmdistill.cli.llmdistill import main
from recbole_llmdistill.dataset_converters.source import sources
from recbole_llmdistill.files.resources import properties


@pytest.mark.parametrize("name", sources())
def test_declaration(name: str) -> None:
    source = sources()[name]
    assert source.title
    assert source.publisher
    check_options(source)
    assert isinstance(yaml.safe_load(properties("dataset", "converted", f"{name}.yaml").read_text()), dict)
    assert source.options_file is None or source.from_yaml


def test_one_that_a_stranger_adds(tmp_path: Path, monkeypatch, capsys) -> None:
    drop_module(
        monkeypatch,
        dataset_converters,
        tmp_path / "more",
        "pairs",
        '''
import polars as pl
from pydantic import Field

from recbole_llmdistill.dataset_converters.source import RawTables, Source


class Pairs(Source):
    """Pairs of user and item, a line each."""

    separator: str = Field("-", description="between user and item")

    name = "pairs"
    title = "pairs of user and item"
    publisher = "nobody"

    def read(self, files):
        pairs = [line.split(self.separator) for line in files.get("pairs.txt").read_text().split()]
        users, items = zip(*pairs, strict=True)
        return RawTables(pl.LazyFrame({"user_id:token": users, "item_id:token": items}))
''',
    )
    text = properties("dataset", "converted", "csv.yaml").read_text()
    (tmp_path / "pairs.yaml").write_text(text)
    monkeypatch.setattr(
        "recbole_llmdistill.dataset_converters.dataset_settings.properties", lambda *parts: tmp_path / parts[-1]
    )
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "pairs.txt").write_text("".join(f"u{n % 3}+i{n}\n" for n in range(12)))
    command = ["llmdistill", "convert", "pairs", "--input", str(raw), "--out", str(tmp_path / "own")]
    monkeypatch.setattr(sys, "argv", [*command, "--separator", "+"])
    assert main() == 0, capsys.readouterr().err
    rows = (tmp_path / "own" / "own.inter").read_text().splitlines()[1:]
    assert {tuple(row.split("\t")[:2]) for row in rows} == {(f"u{n % 3}", f"i{n}") for n in range(12)}
