"""Damaged files of vectors and texts: each reader gives what was written, or its one line, whatever the bytes say."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbole_llmdistill.data.fast.cache import DataCache
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.formats.profile_texts import read_profile_texts
from recbole_llmdistill.formats.vectors import read_profile_file, write_binary, write_text
from recbole_llmdistill.vectors.importing import read_vectors

USERS = ["u1", "ü", "3"]
VECTORS = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
PRESENT = np.array([[True, True], [True, False], [True, True]])
VECTORS[~PRESENT] = 0


def frame() -> pd.DataFrame:
    return pd.DataFrame(VECTORS[:, 0].astype(np.float64), columns=[f"d{n}" for n in range(4)]).assign(user_id=USERS)


def write_all(folder: Path) -> list[Path]:
    """A good file of every format that we read."""
    write_binary(folder / "ours.npz", USERS, VECTORS, PRESENT)
    np.savez(folder / "numpys.npz", user_id=np.array(USERS), user_emb=VECTORS, has_profile=PRESENT)
    np.savez_compressed(folder / "packed.npz", user_id=np.array(USERS), user_emb=VECTORS, has_profile=PRESENT)
    write_text(folder / "text.useremb", USERS, VECTORS, PRESENT)
    frame().to_csv(folder / "columns.csv", index=False)
    cells = [str(vector.tolist()) for vector in VECTORS[:, 0]]
    pd.DataFrame({"user_id": USERS, "v": cells}).to_csv(folder / "cells.tsv", index=False, sep="\t")
    frame().to_parquet(folder / "columns.parquet")
    pd.DataFrame({"user_id": USERS, "v": list(VECTORS[:, 0])}).to_parquet(folder / "lists.parquet")
    vectors = {user: vector.tolist() for user, vector in zip(USERS, VECTORS, strict=True)}
    (folder / "v.json").write_text(json.dumps(vectors))
    return sorted(folder.iterdir())


def read(path: Path):
    return read_vectors(path, path.parent, None, None, lambda _: None)


def attempt(reader: Callable, path: Path):
    """What is read, or None where it is refused, which must be by one line that names the file."""
    try:
        return reader(path)
    except InputError as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
    return None


@pytest.mark.parametrize("name", ["ours.npz", "numpys.npz", "packed.npz"])
@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_an_archive_changes_a_vector(tmp_path: Path, name: str, step: int) -> None:
    write_all(tmp_path)
    good = (tmp_path / name).read_bytes()
    refused = 0
    for position in range(0, len(good), step):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        (tmp_path / "damaged.npz").write_bytes(damaged)
        if (table := attempt(read_profile_file, tmp_path / "damaged.npz")) is None:
            refused += 1
            continue
        assert table.tokens.tolist() == USERS
        np.testing.assert_array_equal(table.vectors, VECTORS)
        np.testing.assert_array_equal(table.present, PRESENT)
    assert refused > len(good) / step / 3


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members.items():
            target.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + data


def array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000, 4), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4), }", bytes(16)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 99999999999999999999999), }", bytes(16)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", bytes(16)),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (3, 4), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }", bytes(96)),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4"),
        npy("(" * 9000),
        npy("'''"),
        npy("{'descr': [], 'fortran_order': False, 'shape': (3, 4), }"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", bytes(12), b"\x03\x00"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", bytes(12), b"\x09\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
        b"",
    ],
)
def test_an_archive_whose_arrays_lie_about_themselves(tmp_path: Path, member: bytes) -> None:
    (tmp_path / "v.npz").write_bytes(archive(user_id=array(np.array(USERS)), user_emb=member))
    with pytest.raises(InputError, match=r"v\.npz: ") as caught:
        read_profile_file(tmp_path / "v.npz")
    assert "\n" not in str(caught.value)


def test_a_small_archive_that_unpacks_to_more_than_the_memory(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "v.npz", user_id=np.array(USERS), user_emb=np.ones((3, 4), np.float32))
    content = bytearray((tmp_path / "v.npz").read_bytes())
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)  # user_emb in the directory
    content[entry + 24 : entry + 28] = (2**31).to_bytes(4, "little")
    (tmp_path / "v.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"user_emb claims to unpack \d+ bytes to 2147483648"):
        read_profile_file(tmp_path / "v.npz")


def test_names_in_bytes_are_read_as_utf_8(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", user_id=np.array([user.encode() for user in USERS]), user_emb=VECTORS)
    assert read_profile_file(tmp_path / "v.npz").tokens.tolist() == USERS
    np.savez(tmp_path / "v.npz", user_id=np.array([b"\xff", b"b", b"c"]), user_emb=VECTORS)
    with pytest.raises(InputError, match="its users are no text in UTF-8"):
        read_profile_file(tmp_path / "v.npz")


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (["a", "", "b"], "user number 2 of the file has an empty name"),
        (["a", "\ud800", "b"], "is no Unicode text"),
        ([1.0, 2.0, 3.0], "user_id holds values of type float64; expected strings or whole numbers"),
    ],
)
def test_users_that_are_no_names(tmp_path: Path, users: list, message: str) -> None:
    np.savez(tmp_path / "v.npz", user_id=np.array(users), user_emb=VECTORS)
    with pytest.raises(InputError, match=message):
        read_profile_file(tmp_path / "v.npz")


DEEP = "[" * 200_000


def test_deep_nesting_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "profiles.jsonl").write_text('{"user_id": "1", "profile": ' + DEEP)
    with pytest.raises(InputError, match="line 1: expected"):
        read_profile_texts(tmp_path / "profiles.jsonl")
    (tmp_path / "manifest.json").write_text(DEEP)
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read"):
        read_manifest(tmp_path)
    for name, content in (("open", '{"a": ' + DEEP), ("closed", '{"a\\"[": ' + DEEP + "]" * 200_000 + "}")):
        (tmp_path / f"{name}.json").write_text(content)
        with pytest.raises(InputError, match="brackets are nested deeper than those of a vector"):
            read(tmp_path / f"{name}.json")
    names = json.dumps({"[" * 50 + f'{n}\\"{{': [n / 3, 0.5] for n in range(3)})  # brackets in names are names
    (tmp_path / "names.json").write_text(names)
    assert read(tmp_path / "names.json").tokens.tolist() == list(json.loads(names))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b.replace(b"PK\x01\x02", b"PK\x01\x03"), len])
def test_a_damaged_data_cache_is_left_aside(tmp_path: Path, caplog, damage: Callable) -> None:
    np.savez_compressed(tmp_path / "c.npz", header=np.frombuffer(b"{}", dtype=np.uint8))
    content = damage((tmp_path / "c.npz").read_bytes())
    if isinstance(content, bytes):
        (tmp_path / "c.npz").write_bytes(content)
    assert DataCache(tmp_path / "c.npz", "x").read() is None
    assert "is left aside and made again" in caplog.text


@st.composite
def damaged(draw, good: bytes) -> bytes:
    """The file cut, or with bytes changed, put in or repeated."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["change", "insert", "cut", "repeat", "delete"]))
        if kind == "change":
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "insert":
            content[at:at] = draw(st.binary(max_size=9) | st.sampled_from([b"[", b"{", b'"', b"\t", b"1e999", b"\xff"]))
        elif kind == "cut":
            del content[at:]
        elif kind == "repeat":
            content[at:at] = content[at : at + draw(st.integers(1, 200))]
        else:
            del content[at : at + draw(st.integers(1, 50))]
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("ours.npz", "numpys.npz", "packed.npz", "text.useremb", "columns.csv", "cells.tsv"),
        *("columns.parquet", "lists.parquet", "v.json"),
    ],
)
def test_any_damage_is_one_line(tmp_path: Path, name: str) -> None:
    write_all(tmp_path)
    good = (tmp_path / name).read_bytes()
    target = tmp_path / f"damaged{Path(name).suffix}"

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damaged(good))
    def check(content: bytes) -> None:
        target.write_bytes(content)
        attempt(read, target)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npz", ".useremb", ".csv", ".tsv", ".parquet", ".json"])
def test_any_bytes_are_one_line(tmp_path: Path, suffix: str) -> None:
    start = {".npz": b"PK\x03\x04", ".parquet": b"PAR1", ".json": b"{", ".useremb": b"uid:token\tuser_emb:float_seq\n"}

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300), st.booleans())
    def check(content: bytes, with_start: bool) -> None:
        path = tmp_path / f"v{suffix}"
        path.write_bytes((start.get(suffix, b"") if with_start else b"") + content)
        attempt(read, path)

    check()


@pytest.mark.slow
def test_any_damage_to_texts_is_one_line(tmp_path: Path) -> None:
    good = "".join(
        json.dumps({"user_id": str(n), "profiles": {"a": "tea \ud83d", "b": "ü"}}) + "\n" for n in range(3)
    ).encode()

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damaged(good))
    def check(content: bytes) -> None:
        (tmp_path / "p.jsonl").write_bytes(content)
        if profiles := attempt(read_profile_texts, tmp_path / "p.jsonl"):
            "".join([*profiles.texts, *profiles.tokens, *profiles.views]).encode()  # can be written

    check()
