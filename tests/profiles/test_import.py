"""``llmdistill import``: anybody's vectors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.profile_file import read_profile_file, write_binary, write_text
from recbole_llmdistill.profiles.importing import read_vectors

USERS = ["3", "1", "2"]
VECTORS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def write_npz(path: Path) -> None:
    write_binary(path, USERS, VECTORS)


def write_json(path: Path) -> None:
    path.write_text(json.dumps({user: vector.tolist() for user, vector in zip(USERS, VECTORS, strict=True)}))


def write_parquet_lists(path: Path) -> None:
    pd.DataFrame({"embedding": list(VECTORS), "user_id": [int(user) for user in USERS]}).to_parquet(path)


def write_parquet_columns(path: Path) -> None:
    pd.DataFrame(VECTORS, columns=list("abcd")).assign(uid=USERS).to_parquet(path)


def write_csv_columns(path: Path) -> None:
    frame = pd.DataFrame(VECTORS.astype(np.float64), columns=list("abcd"))
    frame.insert(0, "client", USERS)
    frame.to_csv(path, index=False)


def write_csv_lists(path: Path) -> None:
    cells = [str(vector.astype(np.float64).tolist()) for vector in VECTORS]
    pd.DataFrame({"user_id": USERS, "vector": cells}).to_csv(path, index=False)


def write_tsv(path: Path) -> None:
    cells = [" ".join(map(repr, vector.astype(np.float64).tolist())) for vector in VECTORS]
    pd.DataFrame({"user": USERS, "vector": cells}).to_csv(path, index=False, sep="\t")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("v.npz", write_npz),
        ("v.useremb", lambda path: write_text(path, USERS, VECTORS)),
        ("v.json", write_json),
        ("v.parquet", write_parquet_lists),
        ("w.parquet", write_parquet_columns),
        ("v.csv", write_csv_columns),
        ("w.csv", write_csv_lists),
        ("v.tsv", write_tsv),
    ],
)
def test_every_format_arrives_unchanged(llmdistill, tmp_path: Path, name: str, write) -> None:
    write(tmp_path / name)
    (tmp_path / "manifest.json").write_text('{"dataset": "ml-100k", "training_fingerprint": "sha256:ab"}')
    status, out, err = llmdistill("import", tmp_path / name, "--dataset", "ml-100k", "--out", tmp_path / "out")
    assert (status, err) == (0, "")
    assert "3 users, a vector of 4 values each" in out
    for suffix in (".useremb", ".useremb.npz"):
        table = read_profile_file(tmp_path / "out" / f"ml-100k{suffix}")
        assert table.user_tokens.tolist() == USERS
        np.testing.assert_array_equal(table.vectors[:, 0], VECTORS)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["training_fingerprint"] == "sha256:ab"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "ml-100k.useremb",
        "ml-100k.useremb.npz",
    ]


def test_several_vectors_a_user(tmp_path: Path) -> None:
    several = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    (tmp_path / "v.json").write_text(json.dumps({"a": several[0].tolist(), "b": several[1].tolist()}))
    np.testing.assert_array_equal(read_vectors(tmp_path / "v.json", tmp_path, None, None).vectors, several)
    frame = pd.DataFrame({"user_id": ["a", "b"], "x": [[1.0, 2.0], [3.0, 4.0]], "y": [None, [5.0, 6.0]]})
    frame.to_parquet(tmp_path / "v.parquet")
    table = read_vectors(tmp_path / "v.parquet", tmp_path, None, None)
    assert table.vectors.tolist() == [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert table.present.tolist() == [[True, False], [True, True]]


def test_columns_and_arrays_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", ids=np.array([10, 20]), e=np.ones((2, 3)))
    assert read_vectors(tmp_path / "v.npz", tmp_path, "ids", "e").user_tokens.tolist() == ["10", "20"]
    pd.DataFrame({"age": [30, 40], "who": ["a", "b"], "v": ["1 2", "3 4"]}).to_csv(tmp_path / "v.csv", index=False)
    table = read_vectors(tmp_path / "v.csv", tmp_path, "who", "v")
    assert table.user_tokens.tolist() == ["a", "b"]
    assert table.vectors[:, 0].tolist() == [[1, 2], [3, 4]]


def test_user_ids_keep_their_leading_zeros(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("user_id,a,b\n007,1,2\nNA,3,4\n")
    assert read_vectors(tmp_path / "v.csv", tmp_path, None, None).user_tokens.tolist() == ["007", "NA"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", "x", r"imported from \.npz, .* files, told by their suffix"),
        ("v.json", "[1, 2]", "expected one JSON object"),
        ("v.json", '{"a": [1, 2], "b": [1,', "not readable JSON"),
        ("v.json", '{"a": [1, 2], "b": [1]}', "user number 2: the vector of user 'b' has 1 values, the first has 2"),
        ("v.json", '{"a": [1, 2], "b": ["x", 2]}', "user number 2: the vector of user 'b' is no list of numbers"),
        ("v.json", '{"a": 1}', "the value of user 'a' is no list of numbers"),
        ("v.json", '{"a": [1, 2], "a": [3, 4]}', "user 'a' stands in it 2 times"),
        ("v.json", "{}", "no vectors in this file"),
        ("v.json", '{"a": [[1, 2]], "b": [[1, 2], [3, 4]]}', "user 'b' has 2 vectors, the first user has 1"),
        ("v.csv", "user_id,a,b\n1,2,3\n2,x,3\n", "line 3, column a: 'x' is no number"),
        ("v.csv", "user_id,a,b\n1,2,3\n2,,3\n", "line 3, column a: '' is no number"),
        ("v.csv", "user_id,v\n1,1 2\n2,1 2 3\n", "line 3: the vector of user '2' has 3 values"),
        ("v.csv", "user_id,a\n1,nan\n", "user '1' .* holds NaN"),
        ("v.csv", "user_id\n1\n", "no column beside the user's"),
        ("v.csv", "", "not a readable CSV file"),
        ("v.csv", "user_id,a\n1,2,3\n2,3,4\n", "not a readable CSV file"),
        ("v.csv", "user_id,a\n1,2\n2,3,4\n", "not a readable CSV file .*line 3"),
        ("v.csv", "user_id,a,b\n1,2,3\n2,3\n", "line 3, column b: '' is no number"),
        ("v.parquet", "PAR1 no parquet", "not a readable parquet file"),
        ("v.npz", "x", "not a readable"),
    ],
)
def test_broken_files_are_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_vectors(tmp_path / name, tmp_path, None, None)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_tables_are_one_line(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": ["a", "b"], "v": [[1.0, 2.0], [3.0]]}).to_parquet(tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match="row 2: the vector of user 'b' has 1 values"):
        read_vectors(tmp_path / "ragged.parquet", tmp_path, None, None)
    pd.DataFrame({"user_id": [1.5], "v": [[1.0]]}).to_parquet(tmp_path / "float.parquet")
    with pytest.raises(InputError, match="the user column 'user_id' holds double"):
        read_vectors(tmp_path / "float.parquet", tmp_path, None, None)
    pd.DataFrame({"user_id": ["a"], "v": ["x"]}).to_parquet(tmp_path / "text.parquet")
    with pytest.raises(InputError, match="no column with vectors beside 'user_id'"):
        read_vectors(tmp_path / "text.parquet", tmp_path, None, None)
    with pytest.raises(InputError, match="no column 'who'; it has user_id, v"):
        read_vectors(tmp_path / "text.parquet", tmp_path, "who", None)
    pd.DataFrame({"user_id": ["a"], "v": [[np.inf]]}).to_parquet(tmp_path / "inf.parquet")
    with pytest.raises(InputError, match="the vector of user 'a'"):
        read_vectors(tmp_path / "inf.parquet", tmp_path, None, None)
    np.savez(tmp_path / "v.npz", a=np.ones(2))
    with pytest.raises(InputError, match=r"lacks ids, user_emb \(found: a\)"):
        read_vectors(tmp_path / "v.npz", tmp_path, "ids", None)
    with pytest.raises(InputError, match="cannot be read"):
        read_vectors(tmp_path / "nowhere.csv", tmp_path, None, None)
    with pytest.raises(InputError, match=r"mean nothing in a \.json file"):
        read_vectors(tmp_path / "v.json", tmp_path, "who", None)


def test_a_file_larger_than_a_piece(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("recbole_llmdistill.profiles.importers.json_file.USERS", 2)
    monkeypatch.setattr("recbole_llmdistill.profiles.importers.csv_file.ROWS", 2)
    monkeypatch.setattr("recbole_llmdistill.profiles.importers.parquet.ROWS", 2)
    for name, write in (("v.json", write_json), ("v.csv", write_csv_columns), ("v.parquet", write_parquet_lists)):
        write(tmp_path / name)
        table = read_vectors(tmp_path / name, tmp_path, None, None)
        assert table.user_tokens.tolist() == USERS
        np.testing.assert_array_equal(table.vectors[:, 0], VECTORS)
    (tmp_path / "late.json").write_text('{"a": [1], "b": [2], "c": [3, 4]}')
    with pytest.raises(InputError, match=r"users from number 3 on have vectors of shape \(1, 2\)"):
        read_vectors(tmp_path / "late.json", tmp_path, None, None)
