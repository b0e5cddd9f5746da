"""Profiles of a data set's users: aligned by user token, checked against the training split."""

from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np
import torch

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.dataset import DistillationDataset
from recbole_llmdistill.data.token_spelling import differently_written
from recbole_llmdistill.data.vector_lookup import find_profile_file
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.files.json_text import parse_json
from recbole_llmdistill.formats.entity import USERS
from recbole_llmdistill.formats.vectors import ProfileTable, examine, read_profile_file


@dataclass(frozen=True)
class UserVectors:
    """Profile vectors in the order of RecBole's user ids.

    Attributes:
        vectors: ``[n_users, K, D]`` float32, zero where ``present`` is false; row 0 is RecBole's padding user.
        present: ``[n_users, K]`` bool.
    """

    vectors: torch.Tensor
    present: torch.Tensor

    def standardized(self) -> "UserVectors":
        """Centred over the profiles that exist, then scaled to a root mean square of 1 over all their elements.

        One scale for all dimensions keeps distances between users in proportion.
        """
        existing = self.vectors[self.present]
        centred = existing - existing.mean(dim=0)
        scale = centred.square().mean().sqrt()
        vectors = torch.zeros_like(self.vectors)
        vectors[self.present] = centred / scale if scale > 0 else centred
        return UserVectors(vectors, self.present)

    def shuffled(self, seed: int) -> "UserVectors":
        """The control: the same profiles shuffled among the users who have one; all K of a user stay together."""
        holders = self.present.any(dim=1).nonzero().squeeze(1)
        dealt = holders[torch.randperm(len(holders), generator=torch.Generator().manual_seed(seed))]
        vectors, present = self.vectors.clone(), self.present.clone()
        vectors[holders], present[holders] = self.vectors[dealt], self.present[dealt]
        return UserVectors(vectors, present)

    def random(self, seed: int) -> "UserVectors":
        """The control without any content: normal vectors for the same users, of each dimension's mean and spread."""
        existing = self.vectors[self.present]
        drawn = torch.randn(existing.shape, generator=torch.Generator().manual_seed(seed))
        vectors = torch.zeros_like(self.vectors)
        vectors[self.present] = drawn * existing.std(dim=0, unbiased=False) + existing.mean(dim=0)
        return UserVectors(vectors, self.present)


def load_user_vectors(training_part: DistillationDataset, settings: DistillationSettings) -> UserVectors:
    """Find, read, check and align the profiles for a training run.

    Args:
        training_part: the training part of a built data set, whose users the profiles describe.
        settings: the run's settings; ``profile_*`` are used.

    Raises:
        InputError: no file, an unusable file, profiles of another split, too few training users covered, or vectors
            that tell no user from another.
    """
    path = find_profile_file(training_part.config)
    check_split(path, training_part, settings.profile_split_check)
    profiles = align(read_profile_file(path), training_part, settings.vectors_min_coverage)
    check_content(path, profiles)
    if settings.vectors_control == "shuffled":
        profiles = profiles.shuffled(training_part.config["seed"])
    elif settings.vectors_control == "random":
        profiles = profiles.random(training_part.config["seed"])
    return profiles.standardized() if settings.vectors_standardize else profiles


def align(table: ProfileTable, training_part: DistillationDataset, min_coverage: float) -> UserVectors:
    """Put each user's vectors at the user's RecBole id; users unknown to the data set are counted and left out."""
    token2id = training_part.field2token_id[training_part.uid_field]
    ids = np.array([token2id.get(token, 0) for token in table.tokens])  # 0, the padding user, means unknown
    known = ids > 0
    n_users, (_, n_profiles, dimension) = training_part.user_num, table.vectors.shape
    vectors = torch.zeros(n_users, n_profiles, dimension)
    present = torch.zeros(n_users, n_profiles, dtype=torch.bool)
    vectors[ids[known]] = torch.from_numpy(table.vectors[known])
    present[ids[known]] = torch.from_numpy(table.present[known])

    training_users = training_part.inter_feat[training_part.uid_field].unique()
    covered = int(present[training_users].any(dim=1).sum())
    unknown = int((~known).sum())
    others = token2id.keys() - set(table.tokens[known].tolist()) if unknown else set()
    if hint := differently_written(table.tokens[~known].tolist(), others):
        getLogger().warning(f"{table.path}: {hint}")
    getLogger().info(
        f"Profiles: {table.path} ({n_profiles} a user, {dimension} dimensions) cover {covered} of "
        f"{len(training_users)} training users"
        + (f"; {unknown} profiles of users unknown to the data set are ignored" if unknown else "")
    )
    if covered < min_coverage * len(training_users):
        raise InputError(
            f"{table.path}: profiles cover {covered} of {len(training_users)} training users "
            f"({covered / len(training_users):.1%}; {unknown} of its {len(ids)} users are unknown to the data set), "
            f"less than vectors_min_coverage={min_coverage}; check that the user ids are those of the .inter file, "
            "make the missing profiles, or lower vectors_min_coverage"
        )
    return UserVectors(vectors, present)


def check_content(path: Path, profiles: UserVectors) -> None:
    """Refuse vectors from which nothing can be distilled, warn of those that tell few users from others.

    Raises:
        InputError: all users of this data set have the same vector, or the values are too great or too small.
    """
    content = examine(profiles.vectors.numpy(), profiles.present.numpy())
    if content.useless:
        raise InputError(
            f"{path}: {content.problem}; there is nothing to distil: encode the profiles again, or train without them "
            "by distill_alpha=0"
        )
    if content.problem:
        getLogger().warning(f"{path}: {content.problem}: there is little to distil; see `llmdistill inspect`")


def check_split(path: Path, training_part: DistillationDataset, mode: str) -> None:
    """Compare the fingerprint in the manifest beside ``path`` with that of the split (``mode``: error, warn, off)."""
    if mode == "off":
        return
    manifest = path.parent / USERS.manifest
    if not manifest.is_file():
        getLogger().warning(
            f"{path} has no {USERS.manifest} beside it: it cannot be checked that these profiles were written from the "
            "training split alone (profile_split_check=off silences this)"
        )
        return
    try:
        written_from = parse_json(manifest.read_text(encoding="utf-8"))["training_fingerprint"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{manifest}: no training_fingerprint can be read from it ({error!r})") from error
    here = training_part.training_fingerprint()
    if written_from == here:
        return
    message = (
        f"{path}: these profiles were written from another training split than this run's (fingerprint "
        f"{str(written_from)[:19]}... in {manifest.name}, {here[:19]}... here), so "
        "they may have seen validation or test items; use the data, filters and eval_args they were made with, make "
        "them again, or set profile_split_check=warn"
    )
    if mode == "error":
        raise InputError(message)
    getLogger().warning(message)
