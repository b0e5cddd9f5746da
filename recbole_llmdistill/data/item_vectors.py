"""Vectors of a data set's items, made of their texts: aligned by item token, centred, whitened."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from logging import getLogger
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.dataset import DistillationDataset
from recbole_llmdistill.data.user_item_matrix import user_item_matrix
from recbole_llmdistill.data.vector_lookup import find_item_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.entity import ITEMS
from recbole_llmdistill.formats.vectors import read_profile_file

_COOCCURRENCE_DIMENSIONS = 64


@dataclass(frozen=True)
class ItemVectors:
    """Text vectors in the order of RecBole's item ids.

    Attributes:
        vectors: ``[n_items, D]`` float32, zero where ``present`` is false; row 0 is RecBole's padding item.
        present: ``[n_items]`` bool.
    """

    vectors: torch.Tensor
    present: torch.Tensor

    def standardized(self, whitening: str) -> "ItemVectors":
        """Centred, whitened, and scaled to unit root mean square.

        Args:
            whitening: ``none``; ``pca``: principal components, each of unit variance; ``zca``: the same, turned back to
                the directions of the vectors.
        """
        centred = self._centred()
        if whitening != "none":
            left, strength, right = torch.linalg.svd(centred, full_matrices=False)
            kept = strength > strength[:1] * 1e-6
            centred = left[:, kept] if whitening == "pca" else left[:, kept] @ right[kept]
        scale = centred.square().mean().sqrt()
        vectors = torch.zeros(len(self.vectors), centred.size(1))
        vectors[self.present] = (centred / scale if scale > 0 else centred).float()
        return replace(self, vectors=vectors)

    def principal_components(self, most: int) -> torch.Tensor:
        """Of the items with a vector, the first components, ``[items, at most most]``, of unit root mean square."""
        left, strength, _ = torch.linalg.svd(self._centred(), full_matrices=False)
        left = left * torch.where(left.abs().amax(dim=0) == left.amax(dim=0), 1.0, -1.0)  # a component's sign is free
        components = (left * strength)[:, : min(most, int((strength > strength[:1] * 1e-6).sum()))]
        return (components / components.square().mean().sqrt()).float()

    def _centred(self) -> torch.Tensor:
        """Of the items with a vector, ``[items, D]`` float64."""
        held = self.vectors[self.present].double()
        return held - held.mean(dim=0)

    def permuted(self, seed: int) -> "ItemVectors":
        """The control: the same vectors shuffled among the items that have one."""
        holders = self.present.nonzero().squeeze(1)
        dealt = holders[torch.randperm(len(holders), generator=torch.Generator().manual_seed(seed))]
        vectors = self.vectors.clone()
        vectors[holders] = self.vectors[dealt]
        return replace(self, vectors=vectors)

    def random(self, seed: int) -> "ItemVectors":
        """The control without any content: normal vectors for the same items."""
        vectors = torch.randn(self.vectors.shape, generator=torch.Generator().manual_seed(seed))
        return replace(self, vectors=vectors * self.present.unsqueeze(1))


def load_item_vectors(training_part: DistillationDataset, settings: DistillationSettings) -> ItemVectors:
    """Find, read and align the vectors of the items, or make those of a control.

    Args:
        training_part: the training part of a built data set.
        settings: the run's settings; ``item_*`` are used.

    Raises:
        InputError: no file, an unusable file, or too few items covered.
    """
    seed = training_part.config["seed"]
    if settings.item_control == "cooccurrence":
        return cooccurrence_vectors(training_part).standardized(settings.item_whitening)
    path = find_item_vectors(training_part.config)
    vectors = read_item_vectors(path, training_part.field2token_id[training_part.iid_field])
    covered, items = int(vectors.present.sum()), training_part.item_num - 1
    getLogger().info(f"Item vectors: {path} ({vectors.vectors.size(1)} dimensions) cover {covered} of {items} items")
    if covered < settings.vectors_min_coverage * items:
        raise InputError(
            f"{path}: vectors cover {covered} of {items} items, less than vectors_min_coverage="
            f"{settings.vectors_min_coverage}; check that the item ids are those of the .inter file, make the missing "
            "ones, or lower vectors_min_coverage"
        )
    if settings.item_control == "permuted":
        vectors = vectors.permuted(seed)
    elif settings.item_control == "random":
        vectors = vectors.random(seed)
    return vectors.standardized(settings.item_whitening)


def read_item_vectors(path: Path, numbers: Mapping[str, int]) -> ItemVectors:
    """Read vectors and align them, as they are.

    Args:
        path: of their file.
        numbers: number of each item token, the padding's, 0, among them.

    Raises:
        InputError: the file is unusable, or has several vectors per item.
    """
    table = read_profile_file(path, ITEMS)
    if table.vectors.shape[1] != 1:
        raise InputError(f"{path}: {table.vectors.shape[1]} vectors per item; training takes one")
    ids = np.array([numbers.get(token, 0) for token in table.tokens])  # 0, the padding item, means unknown
    known = (ids > 0) & table.present[:, 0]
    vectors = torch.zeros(len(numbers), table.vectors.shape[-1])
    present = torch.zeros(len(numbers), dtype=torch.bool)
    vectors[ids[known]] = torch.from_numpy(np.ascontiguousarray(table.vectors[known, 0]))
    present[ids[known]] = True
    return ItemVectors(vectors, present)


def training_matrix(training_part: DistillationDataset) -> sparse.csr_matrix:
    """Which user has which item in the training part, ``[n_users, n_items]`` of 0 and 1."""
    shape = (training_part.user_num, training_part.item_num)
    return user_item_matrix(*training_part.training_ids(), shape)


def cooccurrence_vectors(training_part: DistillationDataset) -> ItemVectors:
    """The control without texts: items by the users that they share in training.

    Positive pointwise mutual information of the item pairs, of which the largest singular values are kept (Levy and
    Goldberg, 2014).
    """
    matrix = training_matrix(training_part)
    pairs = (matrix.T @ matrix).tocoo()
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    apart = pairs.row != pairs.col
    row, column, together = pairs.row[apart], pairs.col[apart], pairs.data[apart]
    information = np.log(together * counts.sum() / (counts[row] * counts[column]))
    positive = information > 0
    shape = (training_part.item_num,) * 2
    table = sparse.csr_matrix((information[positive], (row[positive], column[positive])), shape=shape)
    size = min(_COOCCURRENCE_DIMENSIONS, training_part.item_num - 2)
    start = np.random.default_rng(0).standard_normal(shape[0])  # of the iteration: the same result every time
    left, strength, _ = sparse.linalg.svds(table.astype(np.float64), k=size, v0=start)
    present = torch.from_numpy(counts > 0)
    vectors = torch.from_numpy(np.ascontiguousarray((left * np.sqrt(strength))[:, ::-1])).float()
    return ItemVectors(vectors * present.unsqueeze(1), present)
