"""From a publisher's files to a data set that RecBole reads: the road that every source takes."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from tqdm import tqdm

from recbole_llmdistill.dataset_converters.atomic_files import new_dataset_folder, write_atomic_file
from recbole_llmdistill.dataset_converters.dataset_settings import write_settings
from recbole_llmdistill.dataset_converters.filters import Account, Filters, apply_filters
from recbole_llmdistill.dataset_converters.loading_filters import count_left_out, describe_limits, how_to_keep
from recbole_llmdistill.dataset_converters.parsing_errors import explain_parse_errors
from recbole_llmdistill.dataset_converters.provenance import write_provenance
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import ITEM, RATING, TIME, USER, RawTables, Source
from recbole_llmdistill.dataset_converters.time_order import TIME_RANK, add_time_rank, sort_by_time
from recbole_llmdistill.dataset_converters.time_split import split_globally
from recbole_llmdistill.errors import InputError

_NO_FILTERS = Filters()


def convert(
    source: Source,
    input: str | Path,
    out: str | Path,
    filters: Filters = _NO_FILTERS,
    global_time_split: float | None = None,
    notify: Callable[[str], None] = tqdm.write,
) -> Path:
    """Write ``NAME.inter``, ``.item``, ``.user``, ``.yaml`` and ``provenance.json`` into ``out``, its last part NAME.

    Args:
        source: the reader of the publisher's format.
        input: folder, archive or file with the publisher's files.
        out: folder to write, which must not exist; RecBole finds it by name if it lies in its ``data_path``.
        filters: which interactions to leave out.
        global_time_split: share of the interactions that is training in the paper's split, or None for RecBole's own.
        notify: called with a line of text after each step.

    Returns:
        The folder.

    Raises:
        InputError: a file is missing, damaged or has other columns, nothing is left, or the disk is full. Then, and
            when interrupted, nothing is left behind.
    """
    input, out = Path(input), Path(out)
    with new_dataset_folder(out) as folder:
        workspace = folder / ".unpacked"
        workspace.mkdir()
        files = RawFiles(input, workspace, source.publisher)
        with explain_parse_errors(files), _timed(notify) as done:
            tables = source.read(files)
            log, types = _collect(tables)
            done(f"read {log.height:,} interactions")
        for note in tables.notes:
            if note:
                notify(f"  {note}")
        with _timed(notify) as done:
            account = Account(log)
            del log  # so that what the filters remove is freed
            _drop_incomplete(account)
            account.interactions = sort_by_time(account.interactions)
            apply_filters(account, filters)
            split = None
            if global_time_split is not None:
                split = split_globally(account, global_time_split)
                time_meaning = "as without a split, but the test interactions are ranked behind all others"
            else:
                account.interactions, time_meaning = add_time_rank(account.interactions)
            done(f"kept {account.interactions.height:,} interactions")
        for step in account.steps[1:]:
            if step.removed:
                notify(f"  {step.name}: {step.removed:,} removed, {step.left:,} left")
        with _timed(notify) as done, explain_parse_errors(files):
            written = _write(folder, out.name, account.interactions, types, tables, notify)
            done(f"wrote {', '.join(written)}")
        settings = write_settings(folder / f"{out.name}.yaml", source, tables, written, filters, split)
        left_out = count_left_out(account.interactions, USER, ITEM, settings)
        if left_out.interactions:
            notify(f"in training {left_out} will be left out by {describe_limits(settings)}")
            notify(f"  to keep them set {how_to_keep(settings)} in {out / out.name}.yaml")
        write_provenance(folder, source, files, tables, filters, account, split, time_meaning, left_out)
        shutil.rmtree(workspace)
    return out


@contextmanager
def _timed(notify: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    start = time.perf_counter()
    yield lambda text: notify(f"{text} ({time.perf_counter() - start:.1f} s)")


def _collect(tables: RawTables) -> tuple[pl.DataFrame, dict[str, str]]:
    """Interactions in memory, ids as categories; and the RecBole type of each column."""
    types = dict(column.rsplit(":", 1) for column in tables.interactions.collect_schema().names())
    lazy = tables.interactions.rename({f"{name}:{kind}": name for name, kind in types.items()})
    if tables.rating_field and tables.rating_field != RATING:
        lazy = lazy.with_columns(pl.col(tables.rating_field).alias(RATING))
    lazy = lazy.with_columns(
        pl.col(name).cast(pl.Categorical(pl.Categories.random()))
        for name, data_type in lazy.collect_schema().items()
        if data_type == pl.String
    )
    parts = []
    with tqdm(unit=" rows", unit_scale=True, desc="reading interactions", disable=None, leave=False) as bar:
        for part in lazy.collect_batches(maintain_order=True, engine="streaming"):
            parts.append(part)
            bar.update(part.height)
    return (pl.concat(parts, rechunk=True) if parts else lazy.head(0).collect()), types


def _drop_incomplete(account: Account) -> None:
    if account.interactions.height == 0:
        raise InputError("there are no interactions in these files")
    named = pl.all_horizontal(pl.col(USER, ITEM).is_not_null() & (pl.col(USER, ITEM) != ""))
    account.keep("with user and item", named)
    if TIME in account.interactions.columns:
        account.keep("with time", pl.col(TIME).is_not_null())


def _write(
    folder: Path,
    name: str,
    log: pl.DataFrame,
    types: dict[str, str],
    tables: RawTables,
    notify: Callable[[str], None],
) -> dict[str, list[str]]:
    """Write the atomic files; returns the columns of each by its suffix."""
    columns = {f"{column}:{kind}": column for column, kind in types.items()} | {f"{TIME_RANK}:float": TIME_RANK}
    # Fractions of a second have told what came first, and are for that alone.
    whole = {TIME: pl.col(TIME).floor().cast(pl.Int64)}
    written = {"inter": log.select(whole.get(column, pl.col(column)).alias(typed) for typed, column in columns.items())}
    for suffix, read, column in (("item", tables.items, ITEM), ("user", tables.users, USER)):
        if read is not None:
            used = log[column].unique(maintain_order=True).cast(pl.String)
            written[suffix] = _complete(read(used), used, f"{column}:token", notify)
    for suffix, table in written.items():
        write_atomic_file(table, folder / f"{name}.{suffix}")
    return {suffix: [column.rsplit(":", 1)[0] for column in table.columns] for suffix, table in written.items()}


def _complete(table: pl.DataFrame, used: pl.Series, column: str, notify: Callable[[str], None]) -> pl.DataFrame:
    """One row for each id that is used, empty where the publisher has none; columns without any value are left out."""
    table = table.filter(pl.col(column).is_not_null()).unique(column, keep="first", maintain_order=True)
    name = column.removesuffix("_id:token")
    described = int(used.is_in(table[column].implode()).sum())
    if described == 0:
        problem = (
            f"the table of {name}s has none of the {len(used):,} {name}s of the interactions: it has "
            f"{_some(table[column])}, they have {_some(used)}"
        )
        if column.startswith(ITEM):
            raise InputError(f"{problem}; the ids must be written alike")
        notify(f"  {problem}")
    elif described < len(used):
        missing = used.filter(~used.is_in(table[column].implode()))[0]
        notify(f"  {described:,} of {len(used):,} {name}s are in the table of {name}s; {missing!r}, for one, is not")
    table = used.to_frame(column).join(table, on=column, how="left", maintain_order="left")
    empty = [other for other in table.columns if other != column and not _has_values(table[other])]
    if empty:
        names = ", ".join(other.rsplit(":", 1)[0] for other in empty)
        notify(f"  left out, as no {name} of the interactions has a value: {names}")
    return table.select(column, *(other for other in table.columns if other != column and other not in empty))


def _some(ids: pl.Series) -> str:
    return ", ".join(map(repr, ids.head(3))) or "no rows"


def _has_values(values: pl.Series) -> bool:
    return values.null_count() < len(values)
