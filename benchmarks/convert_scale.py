"""Time and peak memory of ``llmdistill convert`` at the size of MovieLens 20M, Kion or a made-up Amazon category.

    python benchmarks/convert_scale.py --shape ml-20m --repeats 3

Each shape is generated once into ``--folder``, in its publisher's format and with the published counts of users, items
and interactions; then the converter runs ``--repeats`` times, each in a process of its own, and the wall clock time,
the processor time and the peak resident memory of every run are printed. On a busy machine read the best run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

SHAPES = {
    # users, items, interactions as published; MovieLens keeps users with at least 20 ratings
    "ml-20m": (138_493, 27_278, 20_000_263, 20),
    "kion": (962_179, 15_706, 5_476_251, 1),
}
SOURCES = {"ml-20m": "movielens", "kion": "kion"}
FIRST_SECOND, LAST_SECOND = 789_652_009, 1_427_784_002  # 1995 to 2015, as in MovieLens 20M
WORDS = np.array(
    ["love", "war", "night", "city", "river", "ghost", "winter", "road", "star", "queen", "island", "code"]
)
GENRES = np.array(["Action", "Comedy", "Drama", "Film-Noir", "Sci-Fi", "Thriller"])


def draw_interactions(users: int, items: int, rows: int, least: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """User and item number of each row, from 1: long-tailed histories of at least ``least``, every item used."""
    generator = np.random.default_rng(seed)
    weight = generator.lognormal(0, 1.3, users)
    length = least + np.floor(weight / weight.sum() * (rows - least * users)).astype(np.int64)
    length[: rows - length.sum()] += 1
    user = np.repeat(np.arange(1, users + 1), length)
    item = np.minimum((items * generator.random(rows) ** 3).astype(np.int64), items - 1) + 1
    item[generator.choice(rows, items, replace=False)] = np.arange(1, items + 1)
    return user, item


def sittings(user: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Seconds: every user rates one film after another, half of them within the second of the one before."""
    pause = generator.integers(0, 2, len(user)) * generator.integers(1, 20, len(user))
    passed = np.cumsum(pause)
    first = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    lengths = np.diff(np.append(first, len(user)))
    begin = generator.integers(FIRST_SECOND, LAST_SECOND - 200_000, len(first))
    return np.repeat(begin - passed[first], lengths) + passed


def generate_movielens(folder: Path, users: int, items: int, rows: int, least: int) -> None:
    """``ratings.csv`` and ``movies.csv`` as in ml-20m.zip: rows by user, then by movie, times in sittings."""
    user, item = draw_interactions(users, items, rows, least)
    generator = np.random.default_rng(1)
    ratings = pl.DataFrame(
        {
            "userId": user,
            "movieId": item,
            "rating": generator.integers(1, 11, rows) / 2,
            "timestamp": sittings(user, generator),
        }
    )
    ratings.sort("userId", "movieId").write_csv(folder / "ratings.csv")
    titles = [
        f"{' '.join(generator.choice(WORDS, 3)).title()} ({year})" for year in generator.integers(1920, 2015, items)
    ]
    genres = ["|".join(sorted(generator.choice(GENRES, 2, replace=False))) for _ in range(items)]
    pl.DataFrame({"movieId": np.arange(1, items + 1), "title": titles, "genres": genres}).write_csv(
        folder / "movies.csv"
    )


def generate_kion(folder: Path, users: int, items: int, rows: int, least: int) -> None:
    """``interactions.csv``, ``items.csv`` and ``users.csv`` as in data_original.zip: in no order, days as times."""
    user, item = draw_interactions(users, items, rows, least)
    generator = np.random.default_rng(1)
    day = np.datetime64("2021-03-13") + generator.integers(0, 163, rows)
    frame = pl.DataFrame(
        {
            "user_id": user,
            "item_id": item,
            "last_watch_dt": day,
            "total_dur": generator.integers(1, 20_000, rows),
            "watched_pct": generator.integers(0, 101, rows).astype(float),
        }
    )
    frame.sample(fraction=1.0, shuffle=True, seed=2).write_csv(folder / "interactions.csv")
    description = [" ".join(generator.choice(WORDS, 60)) for _ in range(items)]
    pl.DataFrame(
        {
            "item_id": np.arange(1, items + 1),
            "content_type": generator.choice(["film", "series"], items),
            "title": [" ".join(generator.choice(WORDS, 3)) for _ in range(items)],
            "title_orig": None,
            "release_year": generator.integers(1930, 2022, items).astype(float),
            "genres": ["драмы, комедии"] * items,
            "countries": ["Россия"] * items,
            "for_kids": None,
            "age_rating": generator.choice([0.0, 6.0, 12.0, 16.0, 18.0], items),
            "studios": None,
            "directors": ["Иван Иванов, Пётр Петров"] * items,
            "actors": ["Анна Каренина, Лев Мышкин"] * items,
            "description": description,
            "keywords": description,
        }
    ).write_csv(folder / "items.csv")
    pl.DataFrame(
        {
            "user_id": np.arange(1, users + 1),
            "age": generator.choice(["age_25_34", "age_35_44"], users),
            "income": generator.choice(["income_20_40", "income_60_90"], users),
            "sex": generator.choice(["М", "Ж"], users),
            "kids_flg": generator.integers(0, 2, users),
        }
    ).write_csv(folder / "users.csv")


GENERATORS = {"ml-20m": generate_movielens, "kion": generate_kion}


def run_once(shape: str, folder: Path, flags: list[str]) -> tuple[float, float, float]:
    """Wall clock seconds, processor seconds and peak resident GiB of one conversion in its own process."""
    out = folder / "converted" / shape
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "recbole_llmdistill.cli.llmdistill", "convert", SOURCES[shape]]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--input", str(folder / shape), "--out", str(out), *flags])
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"the conversion failed with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="ml-20m")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/convert_scale"), help="where the files are made")
    parser.add_argument("--repeats", type=int, default=3)
    arguments, flags = parser.parse_known_args()
    folder = arguments.folder / arguments.shape
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        GENERATORS[arguments.shape](partial, *SHAPES[arguments.shape])
        partial.rename(folder)
    runs = [run_once(arguments.shape, arguments.folder, flags) for _ in range(arguments.repeats)]
    print(f"{arguments.shape}, {os.cpu_count()} cores, flags {flags}")
    for wall, processor, memory in sorted(runs):
        print(f"wall {wall:6.1f} s   processor {processor:6.1f} s   peak memory {memory:5.2f} GiB")


if __name__ == "__main__":
    main()
