"""Profile vectors on disk: written once, read the same, refused in one line where broken."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import (
    newest_twin,
    read_profile_file,
    write_binary,
    write_binary_in_chunks,
    write_text,
)
from recbole_llmdistill.formats.vectors import table as table_module

USERS = ["7", "a b", "ü"]


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


@pytest.mark.parametrize("write", [write_binary, write_text])
@pytest.mark.parametrize("profiles", [1, 4])
def test_what_was_written_is_read(tmp_path: Path, write, profiles: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, profiles, 5)).astype(np.float32)
    vectors[0, 0] *= 1e-30
    vectors[1, 0] *= 1e30
    present = np.ones((3, profiles), dtype=bool)
    present[2, profiles - 1] = False
    vectors[2, profiles - 1] = 0
    path = tmp_path / ("x.useremb.npz" if write is write_binary else "x.useremb")
    write(path, USERS, vectors, present)
    table = read_profile_file(path)
    assert table.tokens.tolist() == USERS
    np.testing.assert_array_equal(table.vectors, vectors)
    np.testing.assert_array_equal(table.present, present)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_numpy_opens_the_binary_and_we_open_numpys(tmp_path: Path, vectors: np.ndarray) -> None:
    write_binary(tmp_path / "ours.useremb.npz", USERS, vectors)
    with np.load(tmp_path / "ours.useremb.npz") as archive:
        np.testing.assert_array_equal(archive["user_emb"], vectors)
        assert archive["user_id"].tolist() == USERS
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "numpys.useremb.npz", user_id=np.array(USERS), user_emb=vectors)
        np.testing.assert_array_equal(read_profile_file(tmp_path / "numpys.useremb.npz").vectors[:, 0], vectors)


def test_our_binary_is_mapped_and_aligned(tmp_path: Path, vectors: np.ndarray) -> None:
    write_binary(tmp_path / "x.useremb.npz", USERS, vectors)
    mapped = read_profile_file(tmp_path / "x.useremb.npz").vectors
    base = mapped
    while not isinstance(base, np.memmap):
        base = base.base
    assert mapped.ctypes.data % 64 == 0


def test_chunks_make_the_same_file(tmp_path: Path, vectors: np.ndarray, monkeypatch) -> None:
    write_binary(tmp_path / "whole.useremb.npz", USERS, vectors)
    write_binary_in_chunks(tmp_path / "cut.useremb.npz", USERS, (3, 5), iter([vectors[:1], vectors[1:]]))
    assert (tmp_path / "whole.useremb.npz").read_bytes() == (tmp_path / "cut.useremb.npz").read_bytes()
    monkeypatch.setattr(table_module, "CHUNK_BYTES", 1)
    write_binary(tmp_path / "rows.useremb.npz", USERS, vectors)
    assert (tmp_path / "whole.useremb.npz").read_bytes() == (tmp_path / "rows.useremb.npz").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, vectors: np.ndarray) -> None:
    path = tmp_path / "x.useremb.npz"
    write_binary(path, USERS, vectors)

    def chunks():
        yield vectors[:1]
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_binary_in_chunks(path, USERS, (3, 5), chunks())
    np.testing.assert_array_equal(read_profile_file(path).vectors[:, 0], vectors)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_absent_profiles_of_another_writer_become_zero(tmp_path: Path) -> None:
    vectors = np.ones((2, 2, 3), dtype=np.float32)
    present = np.array([[True, False], [True, True]])
    np.savez(tmp_path / "x.npz", user_id=np.array(["1", "2"]), user_emb=vectors, has_profile=present)
    table = read_profile_file(tmp_path / "x.npz")
    assert table.vectors[0, 1].tolist() == [0, 0, 0]
    assert table.vectors.sum() == 9


@pytest.mark.parametrize("kept", [0, 4, 30, 200, -10])
def test_a_half_written_binary(tmp_path: Path, vectors: np.ndarray, kept: int) -> None:
    path = tmp_path / "x.useremb.npz"
    write_binary(path, USERS, vectors)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"x\.useremb\.npz: not a readable \.npz archive, or a half-written one"):
        read_profile_file(path)


@pytest.mark.parametrize("content", [b"PAR1 parquet", b"\x93NUMPY\x01\x00", b"\x80\x04pickle"])
def test_a_wrong_magic(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a readable"):
        read_profile_file(tmp_path / "x.npz")


def test_pickled_members_are_not_opened(tmp_path: Path, vectors: np.ndarray) -> None:
    np.savez(tmp_path / "x.npz", user_id=np.array(USERS, dtype=object), user_emb=vectors)
    with pytest.raises(InputError, match="not a readable"):
        read_profile_file(tmp_path / "x.npz")


def test_a_member_that_claims_more_than_the_file_has(tmp_path: Path, vectors: np.ndarray) -> None:
    write_binary(tmp_path / "x.useremb.npz", USERS, vectors)
    lies = (tmp_path / "x.useremb.npz").read_bytes().replace(b"(3, 5)", b"(9, 5)")
    (tmp_path / "x.useremb.npz").write_bytes(lies)
    with pytest.raises(InputError, match="not a readable"):
        read_profile_file(tmp_path / "x.useremb.npz")


def test_nan_in_a_late_chunk_is_found_with_its_user(tmp_path: Path, vectors: np.ndarray, monkeypatch) -> None:
    vectors[2, 4] = np.nan
    write_binary(tmp_path / "x.useremb.npz", USERS, vectors)
    monkeypatch.setattr(table_module, "CHUNK_BYTES", 1)
    with pytest.raises(InputError, match=r"the vector of user 'ü' \(user number 3 of the file\) holds NaN"):
        read_profile_file(tmp_path / "x.useremb.npz")


def test_a_user_token_that_no_text_file_can_hold(tmp_path: Path, vectors: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"user 'a\\tb' holds a tab"):
        write_text(tmp_path / "x.useremb", ["1", "a\tb", "3"], vectors)
    assert list(tmp_path.iterdir()) == []


def test_the_newer_twin_is_read(tmp_path: Path, vectors: np.ndarray) -> None:
    import os

    write_text(tmp_path / "x.useremb", USERS, vectors)
    write_binary(tmp_path / "x.useremb.npz", USERS, vectors)
    assert newest_twin(tmp_path, "x").name == "x.useremb.npz"
    os.utime(tmp_path / "x.useremb", (2**31, 2**31))
    assert newest_twin(tmp_path, "x").name == "x.useremb"
    assert newest_twin(tmp_path, "y") is None


def test_the_shipped_file_is_an_archive_of_ours() -> None:
    from recbole_llmdistill.files.resources import properties

    path = properties("profiles", "ml-100k", "ml-100k.useremb.npz")
    assert zipfile.is_zipfile(path)
    assert read_profile_file(path).vectors.shape == (943, 1, 128)
