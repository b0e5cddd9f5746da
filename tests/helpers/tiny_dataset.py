"""A data set small enough to train on in a second, and the settings that go with it."""

from pathlib import Path

import numpy as np

N_USERS, N_ITEMS, PROFILE_SIZE = 40, 60, 12

SMALL = {
    "hidden_size": 16,
    "inner_size": 32,
    "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
    "MAX_ITEM_LIST_LENGTH": 10,
    "train_batch_size": 16,
    "sequence_precision": "float32",  # the same sums on every processor
    "epochs": 4,
    "distill_epochs": 2,
    "show_progress": False,
    "state": "ERROR",
}


def write_tiny_dataset(folder: Path) -> None:
    """Write ``tiny.inter`` and ``tiny.useremb.npz``."""
    random = np.random.default_rng(7)
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for user in range(N_USERS):
        items = random.choice(N_ITEMS, size=random.integers(4, 31), replace=False)
        start = int(random.integers(0, 1000))
        lines += [f"u{user}\ti{item}\t{item % 5 + 1}\t{start + 10 * step}" for step, item in enumerate(items)]
    (folder / "tiny.inter").write_text("\n".join(lines) + "\n")
    vectors = random.normal(size=(N_USERS, PROFILE_SIZE)).astype(np.float32)
    tokens = [f"u{user}" for user in range(N_USERS)]
    np.savez(folder / "tiny.useremb.npz", user_id=np.array(tokens), user_emb=vectors)
