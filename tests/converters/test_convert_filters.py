"""Nothing is lost or invented but by the filters, and the account of these adds up."""

import itertools
import json
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from recbole_readback import raw_rows, read_with_recbole, tokens

from recbole_llmdistill.dataset_converters.conversion import convert
from recbole_llmdistill.dataset_converters.filters import Filters, parse_moment
from recbole_llmdistill.dataset_converters.tables import Tables
from recbole_llmdistill.errors import InputError

SECONDS = st.integers(1_400_000_000, 1_400_000_300)
ANY_ID = st.one_of(
    st.sampled_from(
        ["NA", "None", "nan", '"quoted', "%41", "A", "tab\tin", "line\nbreak", " led", "юзер", "a b", "\x00"]
    ),
    st.text(min_size=1, max_size=6),
)
FEW_IDS = st.sampled_from("abcdef")


def logs(ids, least: int = 1, most: int = 60):
    """Lists of (user, item, rating, second)."""
    return st.lists(st.tuples(ids, ids, st.integers(1, 5), SECONDS), min_size=least, max_size=most)


def run(log: list[tuple], filters: Filters = Filters(), **options) -> Path:  # noqa: B008  (frozen)
    """Convert the log in a new folder."""
    raw = Path(tempfile.mkdtemp(dir=".")).resolve()
    schema = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Int64, "timestamp": pl.Int64}
    pl.DataFrame(log, schema=schema, orient="row").write_parquet(raw / "interactions.parquet")
    return convert(Tables(), raw, raw / "own", filters, notify=lambda _: None, **options)


def written(folder: Path) -> Counter:
    return Counter(
        (unquote(row["user_id"]), unquote(row["item_id"]), int(float(row["rating"])), int(row["timestamp"]))
        for row in raw_rows(folder / "own.inter")
    )


in_the_test_folder = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@in_the_test_folder
@given(log=logs(ANY_ID))
def test_no_interaction_is_lost_or_invented_whatever_the_ids(log) -> None:
    assert written(run(log)) == Counter(log)


@settings(in_the_test_folder, max_examples=15)
@given(log=logs(ANY_ID, most=12))
def test_recbole_reads_every_id_as_it_is_written(log) -> None:
    folder = run(log)
    dataset = read_with_recbole(folder)
    assert Counter(
        (unquote(user), unquote(item))
        for user, item in zip(tokens(dataset, "inter", "user_id"), tokens(dataset, "inter", "item_id"), strict=True)
    ) == Counter((user, item) for user, item, _, _ in log)


def k_core(log: list[tuple], k: int) -> list[tuple]:
    """By the definition, one interaction after another."""
    while True:
        users, items = Counter(row[0] for row in log), Counter(row[1] for row in log)
        bad = next((row for row in log if users[row[0]] < k or items[row[1]] < k), None)
        if bad is None:
            return log
        log = [row for row in log if row is not bad]


@in_the_test_folder
@given(log=logs(FEW_IDS), k=st.integers(2, 4))
def test_k_core_is_the_largest_part_in_which_all_have_k(log, k) -> None:
    expected = k_core([tuple(row) for row in log], k)
    if expected:
        assert written(run(log, Filters(k_core=k))) == Counter(expected)
    else:
        with pytest.raises(InputError, match="no interaction is left"):
            run(log, Filters(k_core=k))


@in_the_test_folder
@given(log=logs(FEW_IDS), users=st.integers(0, 4), items=st.integers(0, 4))
def test_minimum_counts_are_counted_once(log, users, items) -> None:
    of_user, of_item = Counter(row[0] for row in log), Counter(row[1] for row in log)
    expected = [row for row in log if of_user[row[0]] >= users and of_item[row[1]] >= items]
    assume(expected)
    filters = Filters(min_user_interactions=users, min_item_interactions=items)
    assert written(run(log, filters)) == Counter(expected)


@in_the_test_folder
@given(log=logs(FEW_IDS), policy=st.sampled_from(["first", "last"]))
def test_one_of_several_interactions_with_the_same_item(log, policy) -> None:
    in_time = sorted(log, key=lambda row: row[3])  # stable: equal times stay in the order of the file
    kept = {}
    for row in in_time:
        if policy == "last" or row[:2] not in kept:
            kept[row[:2]] = row
    assert written(run(log, Filters(duplicates=policy))) == Counter(kept.values())


@in_the_test_folder
@given(log=logs(FEW_IDS), least=st.integers(1, 4), times=st.lists(SECONDS, min_size=2, max_size=2, unique=True))
def test_rating_and_time_range(log, least, times) -> None:
    since, until = sorted(times)
    expected = [row for row in log if row[2] >= least and since <= row[3] < until]
    assume(expected)
    assert written(run(log, Filters(min_rating=least, since=since, until=until))) == Counter(expected)


@in_the_test_folder
@given(log=logs(FEW_IDS, least=5), number=st.integers(1, 8), seed=st.integers(0, 5))
def test_sampled_users_keep_all_they_have(log, number, seed) -> None:
    users = sorted({row[0] for row in log})
    found = written(run(log, Filters(sample_users=number, seed=seed)))
    kept = {row[0] for row in found}
    assert len(kept) == min(number, len(users))
    assert found == Counter(row for row in log if row[0] in kept)
    assert found == written(run(log[::-1], Filters(sample_users=number, seed=seed)))  # whatever the order of rows


@in_the_test_folder
@given(log=logs(FEW_IDS, least=20), k=st.integers(2, 3))
def test_the_account_adds_up(log, k) -> None:
    assume(k_core([row for row in log if row[2] >= 2], k))
    folder = run(log, Filters(min_rating=2, k_core=k))
    account = json.loads((folder / "provenance.json").read_text())
    steps = account["account"]
    assert steps[0] == {"name": "read", "removed": 0, "left": len(log)}
    for before, after in itertools.pairwise(steps):
        assert before["left"] - after["removed"] == after["left"]
    assert steps[-1]["left"] == account["interactions"] == sum(written(folder).values())


def test_rows_without_user_item_or_time_are_counted() -> None:
    log = [
        ("u", "i", 1, 1_400_000_000),
        (None, "i", 1, 1_400_000_000),
        ("u", "", 1, 1_400_000_000),
        ("u", "i", 1, None),
    ]
    folder = run(log)
    steps = {step["name"]: step["removed"] for step in json.loads((folder / "provenance.json").read_text())["account"]}
    assert steps == {"read": 0, "with user and item": 2, "with time": 1}
    assert written(folder) == Counter([log[0]])


def test_nothing_left_names_the_filter_and_leaves_nothing_behind() -> None:
    with pytest.raises(InputError, match=r"no interaction is left \(read: 1, .*, 5-core: 0\); loosen"):
        run([("u", "i", 1, 1_400_000_000)], Filters(k_core=5))
    assert [path.name for path in Path.cwd().rglob("*") if path.is_file()] == ["interactions.parquet"]


@pytest.mark.parametrize(
    ("text", "second"),
    [("2016-10-01", 1475280000), ("2016-10-01T02:00:00+02:00", 1475280000), ("1475280000", 1475280000)],
)
def test_moments_on_the_command_line(text, second) -> None:
    assert parse_moment(text) == second


def test_a_moment_that_is_none() -> None:
    with pytest.raises(InputError, match="'last week' is no date"):
        parse_moment("last week")
