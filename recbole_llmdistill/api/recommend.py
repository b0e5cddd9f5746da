"""``recbole_llmdistill.recommend``: the next items for many users, from file to file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from recbole_llmdistill.config.options import Options, given_as
from recbole_llmdistill.config.recbole_config import check_recbole
from recbole_llmdistill.data.token_spelling import differently_written
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.messages import Messages

if TYPE_CHECKING:
    from recbole_llmdistill.recommendation.recommender import Recommender
    from recbole_llmdistill.recommendation.sequences import UserSequence


class RecommendOptions(Options):
    """Options of :func:`recommend`."""

    checkpoint: Path = Field(description="file that run_recbole wrote, or folder that export wrote")
    sequences: Path | None = Field(
        None,
        description="item sequences of any users: .jsonl, .csv or .parquet with item_ids and perhaps user_id, "
        "or .txt with one sequence per line; the newest item is the last",
    )
    users: str | None = Field(
        None,
        min_length=1,
        description="all, or a file with one user per line: users of the data set, with all that it says of them",
        json_schema_extra={"metavar": "all|FILE"},
    )
    out: Path = Field(description="file to write: .parquet, .csv or .jsonl")
    topk: int = Field(20, ge=1, description="items for each user")
    exclude_seen: bool = Field(False, description="leave out the items of a user's sequence, all of it")
    candidates: Path | None = Field(None, description="file with one item per line: recommend these alone")
    on_error: Literal["fail", "skip"] = Field(
        "fail", description="what to do with a row that cannot be read: end with its number, or count it and go on"
    )
    data_path: Path | None = Field(
        None,
        description="folder that holds the data set's folder, where --users or the checkpoint need it; default: where "
        "training found it",
    )
    overwrite: bool = Field(False, description="write over a file that exists")


@dataclass(frozen=True)
class RecommendResult:
    """What :func:`recommend` did.

    Attributes:
        file: what was written.
        users: users or sequences with recommendations.
        popular: those among them that got the most popular items, since nothing was known of them.
        unknown_items: items of all sequences that the model does not know.
        broken_rows: rows that were passed over.
        messages: what was said beside.
    """

    file: Path
    users: int
    popular: int
    unknown_items: int
    broken_rows: int
    messages: Messages


def recommend(
    options: RecommendOptions | None = None, *, messages: Messages | None = None, **keywords: Any
) -> RecommendResult:
    """Recommend items to many users, whatever their number: rows are read and written as they come.

    For a few sequences at hand, see :class:`recbole_llmdistill.Recommender`.

    Args:
        options: what to do.
        messages: where warnings go; default: into the result.
        keywords: fields of the options, in their place or changing them.

    Raises:
        InputError: an option, or a file that it names, cannot be used; then nothing is written.
    """
    options, messages = given_as(RecommendOptions, options, keywords), messages or Messages()
    if (options.users is None) == (options.sequences is None):
        raise InputError("give one of --users (of the data set) and --sequences (a file)")
    check_recbole()

    from recbole_llmdistill.recommendation.output import check_output, written
    from recbole_llmdistill.recommendation.recommender import Recommender
    from recbole_llmdistill.recommendation.sequences import read_sequences, read_tokens

    check_output(options.out, options.overwrite)
    candidates = None if options.candidates is None else read_tokens(options.candidates, "--candidates")
    broken: list[str] = []

    def on_broken(problem: str) -> None:
        if options.on_error == "fail":
            raise InputError(f"{problem}; fix it, or pass such rows over with --on-error skip")
        if not broken:
            messages.warn(f"{problem}; passed over, as will be others")
        broken.append(problem)

    sequences = None if options.sequences is None else read_sequences(options.sequences, on_broken)
    recommender = Recommender.load(options.checkpoint, data_path=options.data_path)
    rows = recommender.stream(
        _of_users(recommender, options, messages) if sequences is None else sequences,
        k=options.topk,
        exclude_seen=options.exclude_seen,
        candidates=candidates,
    )
    users = popular = unknown_items = 0
    with written(options.out) as write:
        for recommendation in rows:
            write(recommendation)
            users += 1
            popular += recommendation.source == "popularity"
            unknown_items += recommendation.unknown_items
    return RecommendResult(options.out, users, popular, unknown_items, len(broken), messages)


def _of_users(recommender: "Recommender", options: RecommendOptions, messages: Messages) -> Iterable["UserSequence"]:
    """Users of the data set with their histories; those whom it does not know are spoken of."""
    from recbole_llmdistill.recommendation.sequences import read_tokens

    known = recommender.known_users(with_histories=options.exclude_seen)
    asked = options.users or "all"  # one of both is given
    users = list(known) if asked == "all" else read_tokens(Path(asked), "--users")
    if unknown := [user for user in users if user not in known]:
        if hint := differently_written(unknown, known):
            raise InputError(f"--users={options.users}: {hint}")
        found = f"{len(unknown)} of {len(users)} users (the first is {unknown[0]!r}) are not known"
        if len(unknown) == len(users):
            raise InputError(f"--users={options.users}: {found}; give users of the data set, or --sequences")
        messages.warn(f"--users={options.users}: {found}; they get the most popular items")
    return recommender.sequences_of(users, with_histories=options.exclude_seen)
