"""A checkpoint with a catalogue of any size: the encoder of a trained one, and random item embeddings."""

from pathlib import Path

import numpy as np
import torch


def write_sized(checkpoint: Path, n_items: int, file: Path) -> None:
    """Write ``checkpoint`` with ``n_items`` items, named i1, i2 and so on, in the place of its own."""
    state = torch.load(checkpoint, weights_only=True)
    state.pop("optimizer", None)
    table = state["state_dict"]["item_embedding.weight"]
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(n_items + 1, table.size(1), generator=generator) * table.std()
    embeddings[0] = 0
    state["state_dict"]["item_embedding.weight"] = embeddings
    tokens = [b"[PAD]", *(b"i%d" % number for number in range(1, n_items + 1))]
    tables = state["token_tables"]
    tables["tables"] = {
        tables["item_field"]: {
            "utf8": torch.frombuffer(bytearray(b"".join(tokens)), dtype=torch.uint8),
            "offsets": torch.from_numpy(np.cumsum([0, *map(len, tokens)], dtype=np.int64)),
        }
    }
    state["item_counts"]["counts"] = torch.arange(n_items + 1, dtype=torch.int32)
    torch.save(state, file)
