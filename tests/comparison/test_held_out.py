"""Test cases, against the file; profile quality, against loops."""

import numpy as np
import pytest
from tiny_dataset import N_ITEMS, N_USERS

from recbole_llmdistill.comparison.held_out import HeldOut
from recbole_llmdistill.comparison.plan.arm_config import reference_config
from recbole_llmdistill.comparison.plan.profile_quality import NEIGHBOURS, profile_quality
from recbole_llmdistill.comparison.plan.split import read_parts
from recbole_llmdistill.errors import InputError


@pytest.fixture
def histories(tiny) -> dict[str, list[str]]:
    """User -> items in the order of the file, which is that of time."""
    items: dict[str, list[str]] = {}
    for line in (tiny / "tiny.inter").read_text().splitlines()[1:]:
        user, item, *_ = line.split("\t")
        items.setdefault(user, []).append(item)
    return items


def test_cases_are_the_last_item_of_each_user(held_out, histories) -> None:
    assert held_out.users.tolist() == sorted(histories)
    assert held_out.items.tolist() == [histories[user][-1] for user in held_out.users]
    assert held_out.history_lengths.tolist() == [len(histories[user]) - 1 for user in held_out.users]
    training = [item for items in histories.values() for item in items[:-2]]
    assert held_out.popularities.tolist() == [training.count(item) for item in held_out.items]
    assert len(held_out.item_tokens) == N_ITEMS
    assert held_out.item_counts.sum() == len(training)


def test_written_and_read(held_out, tmp_path) -> None:
    held_out.write(tmp_path / "held_out.npz")
    again = HeldOut.read(tmp_path / "held_out.npz")
    assert np.array_equal(again.users, held_out.users)
    assert np.array_equal(again.popularities, held_out.popularities)
    assert again.fingerprints == held_out.fingerprints


def test_rows_in_another_order_are_put_right_and_other_rows_refused(held_out) -> None:
    mixed = np.random.default_rng(0).permutation(N_USERS)
    order = held_out.order_of(held_out.users[mixed], held_out.items[mixed], N_USERS)
    assert np.array_equal(held_out.users[mixed][order], held_out.users)
    others = held_out.items.copy()
    others[3] = "i0" if others[3] != "i0" else "i1"
    for users, items, lists in [
        (held_out.users, others, N_USERS),
        (held_out.users[1:], held_out.items[1:], N_USERS - 1),
        (held_out.users, held_out.items, N_USERS - 1),
    ]:
        with pytest.raises(InputError, match="cannot stand in one table"):
            held_out.order_of(users, items, lists)


def test_profile_quality_by_loops(tiny, common, held_out, histories) -> None:
    with np.load(tiny / "tiny.useremb.npz") as file:
        tokens, vectors = file["user_id"].tolist(), file["user_emb"]
    without = tokens.index("u7")
    tokens, vectors = tokens[:without] + tokens[without + 1 :], np.delete(vectors, without, axis=0)
    np.savez(tiny / "other.npz", user_id=np.array(tokens), user_emb=vectors)
    training, *_ = read_parts(reference_config(common))
    quality = dict(zip(held_out.users, profile_quality(tiny / "other.npz", training, held_out.users), strict=True))

    centred = dict(zip(tokens, vectors - vectors.mean(axis=0), strict=True))

    def cosine(a, b) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    def overlap(user: str, other: str) -> float:
        mine, theirs = set(histories[user][:-2]), set(histories[other][:-2])
        return len(mine & theirs) / np.sqrt(len(mine) * len(theirs))

    assert np.isnan(quality["u7"])
    for user in tokens:
        others = sorted((u for u in tokens if u != user), key=lambda u: -cosine(centred[user], centred[u]))
        near = np.mean([overlap(user, u) for u in others[:NEIGHBOURS]])
        everybody = np.mean([overlap(user, u) for u in others])
        assert quality[user] == pytest.approx(near / everybody, rel=1e-4)
