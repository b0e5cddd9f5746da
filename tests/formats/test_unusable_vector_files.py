"""Reading profile vectors: both formats, and one clear line for whatever is wrong with a file."""

import numpy as np
import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.vectors import read_profile_file, write_binary


@pytest.fixture
def write(tmp_path):
    """Function (text) -> path of a text profile file with that content."""

    def make(text: str):
        path = tmp_path / "d.useremb"
        path.write_text(text)
        return path

    return make


HEADER = "uid:token\tuser_emb:float_seq\n"


def test_text(write) -> None:
    table = read_profile_file(write(HEADER + "b\t1 2.5 -3\na\t4 5 6e-1\n"))
    assert table.tokens.tolist() == ["b", "a"]
    np.testing.assert_array_equal(table.vectors, np.array([[[1, 2.5, -3]], [[4, 5, 0.6]]], dtype=np.float32))
    assert table.present.tolist() == [[True], [True]]


def test_text_with_several_profiles_of_which_one_lacks(write) -> None:
    table = read_profile_file(write("uid:token\ttaste:float_seq\tneed:float_seq\na\t1 2\t3 4\nb\t\t5 6\n"))
    np.testing.assert_array_equal(table.vectors, np.array([[[1, 2], [3, 4]], [[0, 0], [5, 6]]], dtype=np.float32))
    assert table.present.tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4)])
def test_binary_twin_holds_what_was_written(tmp_path, shape) -> None:
    vectors = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    path = tmp_path / "d.useremb.npz"
    write_binary(path, np.array(["a", "b", "ü"]), vectors)
    table = read_profile_file(path)
    assert table.tokens.tolist() == ["a", "b", "ü"]
    np.testing.assert_array_equal(table.vectors, vectors.reshape(3, -1, 4))
    assert [file.name for file in tmp_path.iterdir()] == ["d.useremb.npz"]  # no temporary file is left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; make it again or set distill_alpha=0"),
        (HEADER, "no profiles in this file"),
        ("a\t1 2\n", r"line 1: the header is 'a\\t1 2'; expected 'uid:token"),
        (HEADER + "a\t1 2\nb\t1 2 3\n", "line 3: 3 values, but line 2 has 2"),
        (HEADER + "a\t1 2\nb\n", "line 3: 1 columns, the header has 2"),
        (HEADER + "a\t1 x\n", "line 2: could not convert string to float: 'x'"),
        (HEADER + "a\t1 2\nb\t1 nan\n", r"the vector of user 'b' \(user number 2 of the file\) holds NaN or infinite"),
        (HEADER + "a\t1 inf\n", "the vector of user 'a' .* holds NaN or infinite"),
        (HEADER + "a\t1 2\nb\t1 2\na\t3 4\n", r"user 'a' stands in it 2 times \(users number 1 and 3"),
    ],
)
def test_bad_text_is_told_in_one_line(write, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_profile_file(write(text))
    assert "\n" not in str(raised.value)
    assert "d.useremb" in str(raised.value)


def test_bytes_that_are_no_text(tmp_path) -> None:
    path = tmp_path / "d.useremb"
    path.write_bytes(HEADER.encode() + b"\xff\xfe\t1 2\n")
    with pytest.raises(InputError, match="not a text file in UTF-8"):
        read_profile_file(path)


def test_a_missing_file(tmp_path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_profile_file(tmp_path / "d.useremb")


def test_a_half_written_binary(tmp_path) -> None:
    path = tmp_path / "d.useremb.npz"
    write_binary(path, np.array(["a", "b"]), np.ones((2, 100), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="half-written"):
        read_profile_file(path)


def test_a_binary_that_needs_unpickling_is_refused(tmp_path) -> None:
    path = tmp_path / "d.useremb.npz"
    np.savez(path, user_id=np.array(["a", {}], dtype=object), user_emb=np.ones((2, 3)))
    with pytest.raises(InputError, match="not a readable"):
        read_profile_file(path)


def test_a_binary_without_the_right_arrays(tmp_path) -> None:
    path = tmp_path / "d.useremb.npz"
    np.savez(path, user_id=np.array(["a"]), vectors=np.ones((1, 3)))
    with pytest.raises(InputError, match=r"lacks user_emb \(found: user_id, vectors\)"):
        read_profile_file(path)
    np.savez(path, user_id=np.array(["a"]), user_emb=np.ones((2, 3)))
    with pytest.raises(InputError, match="expected"):
        read_profile_file(path)
