"""MovieLens of GroupLens: 100K, 1M, 10M, 20M, 25M, 32M and latest-small."""

from pathlib import Path

import polars as pl

from recbole_llmdistill.dataset_converters.movie_titles import natural_title, release_year
from recbole_llmdistill.dataset_converters.raw_files import RawFiles
from recbole_llmdistill.dataset_converters.source import RawTables, Source
from recbole_llmdistill.dataset_converters.text_files import scan_csv, split_fields

TAGS_PER_MOVIE = 10

_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_AGES_1M = {"1": "under_18", "18": "18-24", "25": "25-34", "35": "35-44", "45": "45-49", "50": "50-55", "56": "56+"}
_OCCUPATIONS_1M = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service"),
    *("doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer"),
    *("retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman"),
    *("unemployed", "writer"),
)


class MovieLens(Source):
    """Ratings; items with title, year, genres and the most used tags; users where the publisher has them."""

    name = "movielens"
    title = "MovieLens 100K, 1M, 10M, 20M, 25M, 32M, latest-small"
    publisher = "https://grouplens.org/datasets/movielens/"

    def read(self, files: RawFiles) -> RawTables:
        """Tables of whichever format is there."""
        if files.has("u.data"):
            return _read_100k(files)
        if files.has("ratings.dat"):
            return _read_dat(files)
        if files.has("ratings.csv"):
            return _read_csv(files)
        raise files.error("neither u.data (100K), ratings.dat (1M, 10M) nor ratings.csv (20M and later) is here")


def _read_100k(files: RawFiles) -> RawTables:
    columns = ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
    types = (pl.String, pl.String, pl.Float32, pl.Int64)
    ratings = pl.scan_csv(
        files.get("u.data"),
        separator="\t",
        has_header=False,
        quote_char=None,
        schema=dict(zip(columns, types, strict=True)),
    )
    movies, users = files.get("u.item"), files.get_optional("u.user")
    return RawTables(
        ratings,
        lambda _: _movies_100k(movies),
        (lambda _: _users_100k(users)) if users else None,
        rating_field="rating",
        notes=["format of MovieLens 100K"],
    )


def _movies_100k(path: Path) -> pl.DataFrame:
    columns = ["item_id:token", "title", "released", "video_released", "url", "flags"]
    movies = split_fields(path, "|", columns)
    flags = pl.col("flags").str.split("|")
    genres = pl.concat_list(
        pl.when(flags.list.get(place, null_on_oob=True) == "1").then(pl.lit(genre))
        for place, genre in enumerate(_GENRES_100K)
        if genre != "unknown"
    ).list.drop_nulls()
    return movies.select("item_id:token", *_title_and_year(), genres.alias("genres:token_seq"))


def _users_100k(path: Path) -> pl.DataFrame:
    columns = ["user_id:token", "age:token", "gender:token", "occupation:token", "zip_code:token"]
    return split_fields(path, "|", columns)


def _read_dat(files: RawFiles) -> RawTables:
    # A separator of polars has one byte; with ":" every other column is empty.
    names = ["user_id:token", "gap_1", "item_id:token", "gap_2", "rating:float", "gap_3", "timestamp:float"]
    types = (pl.String, pl.String, pl.String, pl.String, pl.Float32, pl.String, pl.Int64)
    ratings = pl.scan_csv(
        files.get("ratings.dat"),
        separator=":",
        has_header=False,
        quote_char=None,
        schema=dict(zip(names, types, strict=True)),
    ).select(name for name in names if not name.startswith("gap"))
    movies, users, tags = files.get("movies.dat"), files.get_optional("users.dat"), files.get_optional("tags.dat")
    return RawTables(
        ratings,
        lambda _: _with_tags(_movies(split_fields(movies, "::", ["movieId", "title", "genres"])), _tags_dat(tags)),
        (lambda _: _users_1m(users)) if users else None,
        rating_field="rating",
        notes=["format of MovieLens 1M" if users else "format of MovieLens 10M"],
    )


def _users_1m(path: Path) -> pl.DataFrame:
    users = split_fields(path, "::", ["user_id:token", "gender:token", "age", "occupation", "zip_code:token"])
    known = {str(number): name for number, name in enumerate(_OCCUPATIONS_1M)}
    return users.select(
        "user_id:token",
        "gender:token",
        pl.col("age").replace(_AGES_1M).alias("age:token"),
        pl.col("occupation").replace(known).alias("occupation:token"),
        "zip_code:token",
    )


def _tags_dat(path: Path | None) -> pl.LazyFrame | None:
    if path is None:
        return None
    # The tag itself may hold "::".
    rows = []
    for line in split_fields(path, "::", ["userId", "movieId", "rest"]).iter_rows():
        rows.append((*line[:2], line[2].rpartition("::")[0]))
    return pl.LazyFrame(rows, schema=dict.fromkeys(("userId", "movieId", "tag"), pl.String), orient="row")


def _read_csv(files: RawFiles) -> RawTables:
    columns = {"userId": pl.String, "movieId": pl.String, "rating": pl.Float32, "timestamp": pl.Int64}
    ratings = scan_csv(files.get("ratings.csv"), columns)
    movies, tags = files.get("movies.csv"), files.get_optional("tags.csv")
    text = dict.fromkeys(("movieId", "title", "genres"), pl.String)
    return RawTables(
        ratings.select(
            pl.col("userId").alias("user_id:token"),
            pl.col("movieId").alias("item_id:token"),
            pl.col("rating").alias("rating:float"),
            pl.col("timestamp").alias("timestamp:float"),
        ),
        lambda _: _with_tags(
            _movies(scan_csv(movies, text).collect()),
            scan_csv(tags, dict.fromkeys(("userId", "movieId", "tag"), pl.String)) if tags else None,
        ),
        rating_field="rating",
        notes=["csv format of MovieLens 20M and later"],
    )


def _title_and_year() -> list[pl.Expr]:
    title = pl.col("title")
    return [natural_title(title).alias("title:token_seq"), release_year(title).alias("year:token")]


def _movies(movies: pl.DataFrame) -> pl.DataFrame:
    genres = pl.col("genres").replace("(no genres listed)", None).str.split("|")
    return movies.select(pl.col("movieId").alias("item_id:token"), *_title_and_year(), genres.alias("genres:token_seq"))


def _with_tags(movies: pl.DataFrame, tags: pl.LazyFrame | None) -> pl.DataFrame:
    """Add the tags that most users gave a movie, most used first, in lower case."""
    if tags is None:
        return movies
    tag = pl.col("tag").str.strip_chars().str.to_lowercase()
    most_used = (
        tags.select("userId", "movieId", tag)
        .filter(pl.col("tag") != "")
        .group_by("movieId", "tag")
        .agg(pl.col("userId").n_unique().alias("users"))
        .sort("users", "tag", descending=[True, False])
        .group_by("movieId", maintain_order=True)
        .agg(pl.col("tag").head(TAGS_PER_MOVIE).alias("tags:token_seq"))
        .collect(engine="streaming")
    )
    return movies.join(most_used, left_on="item_id:token", right_on="movieId", how="left", maintain_order="left")
