"""All that ``llmdistill inspect`` finds out about one set of vectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import USERS, Entity
from recbole_llmdistill.formats.manifest import read_manifest
from recbole_llmdistill.formats.profile_texts import ProfileTexts
from recbole_llmdistill.formats.vectors import Content, ProfileTable, examine
from recbole_llmdistill.inspection.examples import NeighbourExample, find_examples
from recbole_llmdistill.inspection.fields import Field, favourite_genre, genre, read_fields
from recbole_llmdistill.inspection.held_out_taste import HeldOutTaste, measure_held_out_taste
from recbole_llmdistill.inspection.layout import lay_out
from recbole_llmdistill.inspection.split import Split
from recbole_llmdistill.inspection.text_statistics import TextStatistics, measure_texts
from recbole_llmdistill.inspection.vector_statistics import VectorStatistics, measure_vectors
from recbole_llmdistill.vectors.sampling import sample_rows

if TYPE_CHECKING:
    from recbole.config import Config

MAP_SIZE = 2000


@dataclass(frozen=True)
class Map:
    """Users (or items) in two dimensions.

    Attributes:
        tokens: ``[N]``.
        positions: ``[N, 2]``.
        texts: ``[N]`` their texts, empty where there are none.
        fields: what they can be coloured by.
    """

    tokens: np.ndarray
    positions: np.ndarray
    texts: list[str]
    fields: list[Field]


@dataclass(frozen=True)
class Inspection:
    """Findings on one set of vectors, of users or of items; items are called users below as well.

    Attributes:
        dataset: name of the data set.
        of: users or items.
        path: file of the vectors.
        manifest: the manifest beside them, or None.
        content: whether they tell one user from another.
        profiles: profiles per user, K.
        users: users in the file.
        unknown_users: of these, users without training interactions.
        training_users: users with training interactions.
        covered: of these, users with a vector.
        split_matches: the profiles were written from this training split; None where no manifest says, and of items.
        taste: the number that foretells value.
        vectors: statistics of the vectors.
        texts: statistics of the texts; None without texts.
        map: users in two dimensions.
        examples: nearest neighbours side by side; empty without texts.
    """

    dataset: str
    of: Entity
    path: Path
    manifest: dict[str, Any] | None
    content: Content
    profiles: int
    users: int
    unknown_users: int
    training_users: int
    covered: int
    split_matches: bool | None
    taste: HeldOutTaste
    vectors: VectorStatistics
    texts: TextStatistics | None
    map: Map
    examples: list[NeighbourExample]


def inspect_vectors(
    table: ProfileTable, split: Split, texts: ProfileTexts | None, config: "Config", genre_field: str | None = None
) -> Inspection:
    """Look at vectors in the light of a data set.

    Args:
        table: the vectors; several per user are averaged, as training does by default.
        split: the data set's interactions, seen from those whose vectors these are.
        texts: their texts, if they are at hand.
        config: RecBole's config of the data set.
        genre_field: field of the ``.item`` file for the (favourite) genre; None: found.

    Raises:
        InputError: no training user (or item) has a vector, or too few do.
    """
    of = table.of
    has_vector = table.present.any(axis=1)
    row_of = dict(zip(table.tokens[has_vector].tolist(), np.flatnonzero(has_vector), strict=True))
    covered = np.array([token in row_of for token in split.tokens.tolist()])
    if not covered.any():
        raise InputError(
            f"{table.path}: none of its {len(table.tokens)} {of.name} has training interactions; check that the "
            f"{of.noun} ids are those of the .inter file"
        )
    tokens = split.tokens[covered]
    rows = np.array([row_of[token] for token in tokens.tolist()])
    content = examine(table.vectors[rows], table.present[rows], of)
    # Cosines do not depend on the scale, but squares of extreme values leave float32.
    scale = np.float32(1) if content.in_range or not content.largest else np.float32(content.largest)
    vectors = (table.vectors[rows] / scale).sum(axis=1) / table.present[rows].sum(axis=1, keepdims=True)
    training, validation = split.training[covered], split.validation[covered]
    manifest = read_manifest(table.path.parent, of)
    written_from = (manifest or {}).get(USERS.fingerprint)
    text_of = _texts_of(texts, tokens)
    shown = sample_rows(len(tokens), MAP_SIZE)
    if of is USERS:
        fields = [favourite_genre(config, training[shown], split.others, genre_field)]
    else:
        fields = [genre(config, tokens[shown], genre_field)]
    fields += read_fields(config, tokens[shown], of)
    return Inspection(
        dataset=config["dataset"],
        of=of,
        path=table.path,
        manifest=manifest,
        content=content,
        profiles=table.present.shape[1],
        users=len(table.tokens),
        unknown_users=len(row_of) - len(tokens),
        training_users=len(split.tokens),
        covered=len(tokens),
        split_matches=None if written_from is None else written_from == split.fingerprint,
        taste=measure_held_out_taste(vectors, training, validation),
        vectors=measure_vectors(vectors),
        texts=None if texts is None else measure_texts(texts),
        map=Map(
            tokens[shown],
            lay_out(vectors[shown]),
            [text_of[row] for row in shown],
            [field for field in fields if field is not None],
        ),
        examples=find_examples(tokens, vectors, training, text_of) if texts is not None and len(tokens) > 1 else [],
    )


def _texts_of(texts: ProfileTexts | None, tokens: np.ndarray) -> list[str]:
    if texts is None:
        return [""] * len(tokens)
    row_of = {token: row for row, token in enumerate(texts.tokens)}
    return [texts.joined(row_of[token]) if token in row_of else "" for token in tokens.tolist()]
