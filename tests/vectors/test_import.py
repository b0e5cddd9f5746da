"""``llmdistill import``: anybody's vectors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import read_profile_file, write_binary, write_text
from recbole_llmdistill.vectors.importing import read_vectors

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
        assert table.tokens.tolist() == USERS
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
    assert read_vectors(tmp_path / "v.npz", tmp_path, "ids", "e").tokens.tolist() == ["10", "20"]
    pd.DataFrame({"age": [30, 40], "who": ["a", "b"], "v": ["1 2", "3 4"]}).to_csv(tmp_path / "v.csv", index=False)
    table = read_vectors(tmp_path / "v.csv", tmp_path, "who", "v")
    assert table.tokens.tolist() == ["a", "b"]
    assert table.vectors[:, 0].tolist() == [[1, 2], [3, 4]]


def test_user_ids_keep_their_leading_zeros(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("user_id,a,b\n007,1,2\nNA,3,4\n")
    assert read_vectors(tmp_path / "v.csv", tmp_path, None, None).tokens.tolist() == ["007", "NA"]


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
    monkeypatch.setattr("recbole_llmdistill.vectors.importers.json_file.ROWS", 2)
    monkeypatch.setattr("recbole_llmdistill.vectors.importers.csv_file.ROWS", 2)
    monkeypatch.setattr("recbole_llmdistill.vectors.importers.parquet.ROWS", 2)
    for name, write in (("v.json", write_json), ("v.csv", write_csv_columns), ("v.parquet", write_parquet_lists)):
        write(tmp_path / name)
        table = read_vectors(tmp_path / name, tmp_path, None, None)
        assert table.tokens.tolist() == USERS
        np.testing.assert_array_equal(table.vectors[:, 0], VECTORS)
    (tmp_path / "late.json").write_text('{"a": [1], "b": [2], "c": [3, 4]}')
    with pytest.raises(InputError, match=r"users from number 3 on have vectors of shape \(1, 2\)"):
        read_vectors(tmp_path / "late.json", tmp_path, None, None)


def frame(**further) -> pd.DataFrame:
    """Vectors of twelve users, not in the order of their names, with columns ``a`` to ``d``."""
    vectors = np.random.default_rng(0).normal(size=(12, 4))
    users = [f"u{number * 7 % 12}" for number in range(12)]
    return pd.DataFrame(vectors, columns=list("abcd")).assign(user=users, **further)


def imported(tmp_path: Path, name: str, users: str | None = None) -> tuple:
    """Table and what was told."""
    told: list[str] = []
    return read_vectors(tmp_path / name, tmp_path, users, None, told.append), told


@pytest.mark.parametrize(
    ("name", "write", "left_out"),
    [
        ("v.csv", lambda path: frame().to_csv(path), "Unnamed: 0"),
        ("v.csv", lambda path: frame().set_index(pd.RangeIndex(1, 13)).to_csv(path), "Unnamed: 0"),
        ("v.csv", lambda path: frame().reset_index().to_csv(path, index=False), "index"),
        ("v.csv", lambda path: frame(row_nr=range(12)).to_csv(path, index=False), "row_nr"),
        ("v.csv", lambda path: frame(customer_id=range(100, 112)).to_csv(path, index=False), "customer_id"),
        ("v.tsv", lambda path: frame().to_csv(path, sep="\t"), "Unnamed: 0"),
        ("v.parquet", lambda path: frame().sample(frac=1, random_state=0).to_parquet(path), "__index_level_0__"),
        ("v.parquet", lambda path: frame(row_nr=range(12)).to_parquet(path), "row_nr"),
    ],
)
def test_a_row_number_is_left_out_with_a_word(tmp_path: Path, name: str, write, left_out: str) -> None:
    write(tmp_path / name)
    table, told = imported(tmp_path, name)
    assert len(told) == 1
    assert repr(left_out) in told[0]
    by_user = dict(zip(table.tokens.tolist(), table.vectors[:, 0], strict=True))
    for _, row in frame().iterrows():
        np.testing.assert_allclose(by_user[row["user"]], row[list("abcd")].to_numpy(float), rtol=1e-6)


def test_the_users_may_be_the_index(tmp_path: Path) -> None:
    frame().set_index("user").rename_axis(None).to_csv(tmp_path / "v.csv")
    frame().set_index("user").rename_axis(None).to_parquet(tmp_path / "v.parquet")
    for name in ("v.csv", "v.parquet"):
        table, told = imported(tmp_path, name)
        assert (table.tokens.tolist(), table.vectors.shape, told) == (frame().user.tolist(), (12, 1, 4), [])
    numbers = frame(client=[n * n for n in range(12)]).drop(columns="user")
    numbers.set_index("client").rename_axis(None).to_csv(tmp_path / "n.csv")
    with pytest.raises(InputError, match=r"it cannot be told which column names the users.*--user-column"):
        imported(tmp_path, "n.csv")
    table, _ = imported(tmp_path, "n.csv", "Unnamed: 0")
    assert table.tokens.tolist() == [str(n * n) for n in range(12)]


def test_numbered_columns_are_put_in_order_and_others_left_out(tmp_path: Path) -> None:
    names = [f"dim_{number}" for number in range(12)]
    vectors = pd.DataFrame(np.random.default_rng(0).normal(size=(3, 12)), columns=names)
    vectors[sorted(names)].assign(age=30, name="x", user_id=USERS).to_csv(tmp_path / "v.csv", index=False)
    table, told = imported(tmp_path, "v.csv")
    np.testing.assert_allclose(table.vectors[:, 0], vectors.to_numpy(), rtol=1e-6)
    assert "'age', 'name' are not of the vectors and left out" in told[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (range(12), r"column x counts the rows \(0, 1 \.\.\. 11\)"),
        (range(12, 0, -1), r"column x counts the rows \(12, 11 \.\.\. 1\)"),
        ([n * n + 5 for n in range(12)], "column x holds another whole number for each user"),
        ([2**24 + n for n in range(12)], "16777217 is a whole number beyond those of float32"),
    ],
)
def test_a_column_that_counts_is_no_dimension(tmp_path: Path, values, message: str) -> None:
    frame(x=list(values)).to_csv(tmp_path / "v.csv", index=False)
    with pytest.raises(InputError, match=message):
        imported(tmp_path, "v.csv")
    frame(x=list(values)).to_parquet(tmp_path / "v.parquet")
    with pytest.raises(InputError, match=message.split(" is ")[-1]):
        imported(tmp_path, "v.parquet")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3)) + 1j, "complex numbers"),
        (np.ones((2, 3), dtype=bool), "true and false"),
        (np.full((2, 3), "1"), "texts"),
        (np.ones((2, 3)).astype("M8[s]"), "dates"),
        (np.ones((2, 3), dtype=object), "Python objects, which are never unpickled"),
        (np.full((2, 3), 1e60), "user number 1: 1e\\+60 is beyond float32"),
        (np.array([[1, 2], [3, 2**24 + 1]]), "user number 2: 16777217 is a whole number beyond"),
        (np.ones((2, 0), np.float32), "its vectors are empty"),
    ],
)
def test_values_that_are_no_float32(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "v.npz", user_id=np.array(["a", "b"]), user_emb=values)
    np.savez(tmp_path / "named.npz", i=np.array(["a", "b"]), e=values)
    with pytest.raises(InputError, match=message):
        read_profile_file(tmp_path / "v.npz")
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "named.npz", tmp_path, "i", "e")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.csv", "user_id,a,b\n1,True,3\n2,False,4\n", "line 2, column a: 'True' is no number"),
        ("v.csv", "user_id,a,b\n1,1+2j,3\n2,1,4\n", r"line 2, column a: '1\+2j' is no number"),
        ("v.csv", "user_id,a,b\n1,1,3\n2,1e60,4\n", r"line 3: 1e\+60 is beyond float32"),
        ("v.csv", "user_id,a,a\n1,1,3\n", "line 1: column 'a' stands in the header 2 times"),
        ("v.csv", 'user_id,v\n1,"0,5 0,7"\n', "line 2: .* write decimal points"),
        ("v.csv", "user_id,v\n1,[]\n", "line 2: the vector of user '1' is empty"),
        ("v.csv", "user_id,a\n1,1\n,2\n", "user number 2 of the file has an empty name"),
        ("v.csv", 'user_id,a\n"1,2\n', "not a readable CSV file"),
        ("v.json", '{"a": [true, 0.5]}', "the vector of user 'a' is no list of numbers"),
        ("v.json", '{"a": ["1", 0.5]}', "the vector of user 'a' is no list of numbers"),
        ("v.json", '{"a": [1, 2], "b": [16777217, 2]}', "user number 2: 16777217 is a whole number"),
        ("v.useremb", "uid:token\tuser_emb:float_seq\na\t1 1e60\n", r"line 2: 1e\+60 is beyond float32"),
    ],
)
def test_values_that_are_no_numbers(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_vectors(tmp_path / name, tmp_path, None, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "users", [["1.0", "2.0", "3.0"], [" 1", "2 ", "3"], ["b'1'", "b'2'", "b'3'"], ["001", "2", "3"]]
)
def test_users_that_are_written_otherwise(llmdistill, tmp_path: Path, users: list[str]) -> None:
    (tmp_path / "v.json").write_text(json.dumps(dict(zip(users, VECTORS.tolist(), strict=True))))
    status, _, err = llmdistill("import", tmp_path / "v.json", "--dataset", "ml-100k", "--out", tmp_path / "out")
    assert status == 2
    assert f"are written otherwise than in the data set (the first is {users[0]!r}, there '1')" in err
    assert err.count("\n") == 1


def test_vectors_that_are_all_equal_are_refused(llmdistill, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({user: [0.1, 0.2] for user in USERS}))
    status, _, err = llmdistill("import", tmp_path / "v.json", "--dataset", "ml-100k", "--out", tmp_path / "out")
    assert status == 2
    assert "the vectors of all 3 users are equal, so they tell no user from another" in err
    assert list((tmp_path / "out").iterdir()) == []
