"""Raw item tokens in, item tokens and scores out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.exports.exported_model import ExportedModel
from recbole_llmdistill.exports.folder import is_export
from recbole_llmdistill.recommendation.checkpoint_model import CheckpointModel
from recbole_llmdistill.recommendation.ranking import MOST_ROWS, best, rows_at_once
from recbole_llmdistill.recommendation.sequences import UserSequence


@dataclass(frozen=True)
class Recommendation:
    """The best items for one user or sequence.

    Attributes:
        user: token, if there was one.
        items: item tokens, best first; fewer than asked for where all others are excluded.
        scores: of each item. Scores of a model compare items for one user; those of popularity are the numbers of
            training targets that the items are.
        source: ``model``, or ``popularity`` where nothing is known that the model could go by.
        unknown_items: items of the sequence that the model does not know, and which were passed over.
    """

    user: str | None
    items: list[str]
    scores: list[float]
    source: Literal["model", "popularity"]
    unknown_items: int


@dataclass(frozen=True)
class _Request:
    user: str | None
    user_number: int | None
    items: list[int]
    unknown_items: int


class Recommender:
    """Recommends what a checkpoint's model ranks highest. To be made by :meth:`load`.

    Args:
        model: the model of a checkpoint, or of an export.
    """

    def __init__(self, model: CheckpointModel | ExportedModel) -> None:
        self._model = model

    @classmethod
    def load(cls, checkpoint: str | Path, *, data_path: str | Path | None = None) -> "Recommender":
        """Of a checkpoint alone; neither the data set nor profiles need be there.

        Args:
            checkpoint: file that ``run_recbole`` wrote, or folder that ``llmdistill export`` made of it.
            data_path: folder that holds the folder of the data set, which is loaded where the checkpoint does not
                suffice: it has no item tokens (RecBole's own, and older ones), its model is built from the
                interactions, or histories of users are asked for. None: where training found it, and for no
                checkpoint without item tokens.

        Raises:
            InputError: the file cannot be used, or needs a data set that is not there.
        """
        if is_export(checkpoint):
            return cls(ExportedModel(checkpoint))
        return cls(CheckpointModel(checkpoint, data_path))

    @property
    def items(self) -> list[str]:
        """Tokens of all items that the model knows."""
        return self._model.item_tokens[1:]

    def recommend(
        self,
        sequences: Iterable[Sequence[str | int]],
        *,
        k: int = 10,
        exclude_seen: bool = False,
        candidates: Collection[str | int] | None = None,
    ) -> list[Recommendation]:
        """The next items after each sequence, whoever the user is.

        Args:
            sequences: item tokens, the newest last. Unknown items are passed over, of long sequences the newest
                items count, and what is empty then gets the most popular items.
            k: items for each.
            exclude_seen: without the items of the sequence, all of it.
            candidates: of these items alone; None: of all.

        Raises:
            InputError: ``k`` exceeds the items there are, a candidate is unknown, or the model does not go by
                sequences.
        """
        rows = (UserSequence(None, _tokens(sequence), named=False) for sequence in sequences)
        return list(self.stream(rows, k=k, exclude_seen=exclude_seen, candidates=candidates))

    def recommend_users(
        self,
        users: Iterable[str | int] | None = None,
        *,
        k: int = 10,
        exclude_seen: bool = False,
        candidates: Collection[str | int] | None = None,
    ) -> list[Recommendation]:
        """The next items for users by name, from all that the data set says of them.

        Args:
            users: user tokens, of whom unknown ones get the most popular items; None: all.
            k: items for each.
            exclude_seen: without the items of the user's history.
            candidates: of these items alone; None: of all.

        Raises:
            InputError: as :meth:`recommend`, or histories are needed and the data set is not there.
        """
        if users is None:
            users = self.known_users(with_histories=exclude_seen)
        rows = self.sequences_of(users, with_histories=exclude_seen)
        return list(self.stream(rows, k=k, exclude_seen=exclude_seen, candidates=candidates))

    def known_users(self, with_histories: bool) -> Collection[str]:
        """Users of the data set, where the model goes by histories or they are asked for, else of the model.

        Raises:
            InputError: histories are needed, and the data set is not there.
        """
        if self._model.sequential or with_histories:
            return self._model.histories.user_numbers
        return self._model.user_numbers or {}

    def sequences_of(self, users: Iterable[str | int], with_histories: bool) -> Iterator[UserSequence]:
        """Users with their histories, where the model goes by them or they are asked for.

        Raises:
            InputError: histories are needed, and the data set is not there.
        """
        if self._model.sequential or with_histories:
            histories = self._model.histories
            return (histories.of_user(str(user)) for user in users)
        return (UserSequence(str(user), []) for user in users)

    def stream(
        self,
        sequences: Iterable[UserSequence],
        *,
        k: int = 10,
        exclude_seen: bool = False,
        candidates: Collection[str | int] | None = None,
    ) -> Iterator[Recommendation]:
        """As :meth:`recommend` for one sequence after the other, in their order, holding a thousand at a time.

        Args:
            sequences: with users where the model has weights for them.
            k: items for each.
            exclude_seen: without the items of the sequence, all of it.
            candidates: of these items alone; None: of all.

        Raises:
            InputError: as :meth:`recommend`; at once where it does not depend on a sequence.
        """
        columns = self._columns(candidates)
        if not 1 <= k <= len(columns):
            what = "items in the catalogue" if candidates is None else "candidates"
            raise InputError(f"--topk={k}: must be from 1 to the {len(columns)} {what}")
        return self._stream(iter(sequences), k, exclude_seen, columns)

    def _stream(
        self, sequences: Iterator[UserSequence], k: int, exclude_seen: bool, columns: np.ndarray
    ) -> Iterator[Recommendation]:
        popular = None
        while chunk := [self._request(sequence) for sequence in islice(sequences, MOST_ROWS)]:
            found: list[Recommendation | None] = [None] * len(chunk)
            asked = [place for place, request in enumerate(chunk) if self._can_ask(request)]
            asked.sort(key=lambda place: len(chunk[place].items))  # of one length, so that little is padded
            step = rows_at_once(len(self._model.item_tokens))
            for start in range(0, len(asked), step):
                places = asked[start : start + step]
                answers = self._ask([chunk[place] for place in places], k, exclude_seen, columns)
                for place, answer in zip(places, answers, strict=True):
                    found[place] = answer
            for request, recommendation in zip(chunk, found, strict=True):
                if recommendation is None:
                    popular = self._by_popularity(columns, request) if popular is None else popular
                    yield self._most_popular(popular, request, k, exclude_seen)
                else:
                    yield recommendation

    def _columns(self, candidates: Collection[str | int] | None) -> np.ndarray:
        """Numbers of the items that may be recommended, ascending."""
        if candidates is None:
            return np.arange(1, len(self._model.item_tokens))
        numbers = self._model.item_numbers
        tokens = list(dict.fromkeys(map(str, candidates)))
        if unknown := [token for token in tokens if token not in numbers]:
            raise InputError(
                f"{len(unknown)} of {len(tokens)} candidates are no items of {self._model.file} (the first is "
                f"{unknown[0]!r})"
            )
        return np.sort(np.array([numbers[token] for token in tokens], dtype=np.int64))

    def _request(self, sequence: UserSequence) -> _Request:
        users, numbers = self._model.user_numbers, self._model.item_numbers
        if users is not None and not sequence.named:
            raise InputError(
                f"{self._model.file}: {self._model.name} has weights for each user of its training, so it needs users "
                "by name (recommend_users, --users) and not sequences alone"
            )
        items = [number for token in sequence.items if (number := numbers.get(token)) is not None]
        user = None if users is None or sequence.user is None else users.get(sequence.user)
        return _Request(sequence.user, user, items, len(sequence.items) - len(items))

    def _can_ask(self, request: _Request) -> bool:
        has_user = self._model.user_numbers is None or request.user_number is not None
        return has_user and bool(request.items or not self._model.sequential)

    def _ask(
        self, requests: list[_Request], k: int, exclude_seen: bool, columns: np.ndarray
    ) -> Iterator[Recommendation]:
        users = [request.user_number for request in requests if request.user_number is not None]
        sequences = [request.items for request in requests]
        scores = torch.as_tensor(self._model.scores(sequences, None if self._model.user_numbers is None else users))
        if exclude_seen:
            rows = [row for row, request in enumerate(requests) for _ in request.items]
            items = [item for request in requests for item in request.items]
            scores[torch.tensor(rows, dtype=torch.int64), torch.tensor(items, dtype=torch.int64)] = -torch.inf
        if len(columns) < scores.size(1) - 1:
            scores = scores[:, torch.from_numpy(columns).to(scores.device)]
        else:
            scores = scores[:, 1:]
        values, places = best(scores, k)
        if values.isnan().any():
            raise InputError(f"{self._model.file}: {self._model.name} scores items with NaN; train again")
        tokens = self._model.item_tokens
        for request, row, items in zip(requests, values.tolist(), columns[places.cpu().numpy()].tolist(), strict=True):
            kept = [number for number, score in enumerate(row) if score != -np.inf]
            yield Recommendation(
                request.user,
                [tokens[items[number]] for number in kept],
                [row[number] for number in kept],
                "model",
                request.unknown_items,
            )

    def _by_popularity(self, columns: np.ndarray, request: _Request) -> np.ndarray:
        """The items that may be recommended, most popular first, those of equal popularity by number."""
        if self._model.item_counts is None:
            who = "a sequence" if request.user is None else repr(request.user)
            raise InputError(
                f"{self._model.file} does not hold how popular its items are (it was written by RecBole itself, or by "
                f"an older recbole-llmdistill), and nothing else is to be said to {who} without a known item; leave "
                "empty sequences out, or train again"
            )
        return columns[np.argsort(-self._model.item_counts[columns], kind="stable")]

    def _most_popular(self, popular: np.ndarray, request: _Request, k: int, exclude_seen: bool) -> Recommendation:
        counts = self._model.item_counts
        assert counts is not None  # of which `popular` was made
        seen = set(request.items) if exclude_seen else ()
        items = list(islice((item for item in popular.tolist() if item not in seen), k))
        return Recommendation(
            request.user,
            [self._model.item_tokens[item] for item in items],
            [float(counts[item]) for item in items],
            "popularity",
            request.unknown_items,
        )


def _tokens(sequence: Sequence[str | int]) -> list[str]:
    if isinstance(sequence, str | bytes):
        raise InputError(f"a sequence is a list of item tokens, and {sequence!r} is a text")
    return list(map(str, sequence))
