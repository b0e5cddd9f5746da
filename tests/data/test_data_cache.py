"""The second start reads what the first one kept, and nothing that could be anything else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recbole_llmdistill.data.dataset import CausalSequenceDataset
from recbole_llmdistill.data.fast import cache, loading

READ, KEPT = "Data set read from", "Data set kept in"


@pytest.fixture
def load(configure, monkeypatch, tiny):
    """Function (settings) -> the training, validation and test rows of ``tiny``, small as it is."""
    monkeypatch.setattr(cache, "LEAST_BYTES", 0)
    words = "\n".join(f"i{item}\t{'old ' * (item % 3)}film\t{item / 7}" for item in range(70))
    (tiny / "tiny.item").write_text("item_id:token\ttitle:token_seq\tyear:float\n" + words + "\n")
    columns = {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": "*"}

    def rows(**settings) -> tuple:
        config = configure(state="INFO", sequence_training="prefix", load_col=columns, **settings)
        dataset = CausalSequenceDataset(config)
        return dataset, [part[np.arange(len(part))] for part in dataset.build()]

    return rows


def cache_files() -> list[Path]:
    return sorted(Path("saved").glob("*" + cache.SUFFIX))


def assert_same(expected: tuple, found: tuple) -> None:
    assert found[0].field2token_id == expected[0].field2token_id
    assert found[0].field2type == expected[0].field2type
    assert found[0].field2source == expected[0].field2source
    assert found[0].field2seqlen == expected[0].field2seqlen
    for reference, ours in zip(expected[1], found[1], strict=True):
        assert reference.columns == ours.columns
        for column in reference.columns:
            assert torch.equal(reference[column], ours[column])


def test_the_second_start_reads_no_atomic_file(load, monkeypatch) -> None:
    first = load()
    assert len(cache_files()) == 1
    monkeypatch.setattr(loading.FileLoading, "_load_feat", None)  # called, it would raise
    assert_same(first, load())
    assert_same(first, load(MAX_ITEM_LIST_LENGTH=10, epochs=3))


@pytest.mark.parametrize(
    "settings",
    [{"user_inter_num_interval": "[10,inf)"}, {"rm_dup_inter": "last"}, {"val_interval": {"rating": "[2,5]"}}],
)
def test_other_settings_are_another_data_set(load, settings: dict) -> None:
    load()
    found = load(**settings)
    assert len(cache_files()) == 2
    assert_same(load(sequence_data_cache=False, **settings), found)


def test_changed_files_are_read_anew(load, tiny) -> None:
    load()
    file = tiny / "tiny.inter"
    file.write_text(file.read_text() + "u999\ti1\t5\t9999\n")
    dataset, _ = load()
    assert "u999" in dataset.field2token_id["user_id"]


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def damage_flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def damage_foreign(file: Path) -> None:
    np.savez(file.with_suffix(".other.npz"), header=np.frombuffer(b'{"digest": "x"}', dtype=np.uint8))
    file.with_suffix(".other.npz").rename(file)


def damage_pickle(file: Path) -> None:
    with file.open("wb") as stream:  # an array of objects is a pickle
        np.savez(stream, header=np.array([{"digest": "x"}], dtype=object))


def damage_empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_cut, damage_flip, damage_foreign, damage_pickle, damage_empty])
def test_an_unfit_file_is_left_aside_with_a_line_and_made_anew(load, caplog, damage) -> None:
    expected = load()
    (file,) = cache_files()
    kept = file.read_bytes()
    damage(file)
    with caplog.at_level("INFO"):
        assert_same(expected, load())
    assert "left aside and made again" in caplog.text
    assert file.read_bytes() == kept


def test_ids_without_a_token_are_refused(load, caplog) -> None:
    expected = load()
    (file,) = cache_files()
    arrays = dict(np.load(file))
    for name, array in arrays.items():
        if array.dtype == np.int32 and array.max() < 100:
            arrays[name] = array + 500
    np.savez(file, **arrays)
    with caplog.at_level("INFO"):
        assert_same(expected, load())
    assert "left aside" in caplog.text


def test_the_switch_and_the_folder(load, tmp_path) -> None:
    load(sequence_data_cache=False)
    assert not cache_files()
    load(sequence_data_cache=str(tmp_path / "kept"))
    assert not cache_files()
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(load, tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level("INFO"):
        load(sequence_data_cache=str(tmp_path / "file" / "folder"))
    assert "could not be written" in caplog.text


def test_small_files_are_not_kept(configure) -> None:
    CausalSequenceDataset(configure())
    assert not cache_files()


def test_rows_that_were_left_out_are_told_again(load, tiny, caplog) -> None:
    with open(tiny / "tiny.inter", "a") as file:
        file.write("\ti1\t3\t5\nu1\t\t3\t6\n")
    load()
    load()
    told = [record.message for record in caplog.records if "left out" in record.message]
    assert len(told) == 2
    assert told[1] == "tiny.inter: 2 rows have no user_id or no item_id and are left out"
