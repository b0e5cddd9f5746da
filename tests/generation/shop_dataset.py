"""A small data set with texts, an event and a number of each interaction."""

from pathlib import Path

USERS, ITEMS, LENGTH = 12, 20, 8

SETTINGS = """
load_col: {inter: [user_id, item_id, timestamp]}
profile_item_fields: {title: title, kind: kind}
profile_interaction_fields: {event: event, share: share watched}
"""


def write_shop(folder: Path, users: int = USERS, length: int = LENGTH, title: str = "Fine Thing") -> None:
    """A data set ``shop`` in ``folder/dataset/shop``; user u has ``length`` items, the last two are held out."""
    data = folder / "dataset" / "shop"
    data.mkdir(parents=True, exist_ok=True)
    rows = ["user_id:token\titem_id:token\tevent:token\tshare:float\ttimestamp:float"]
    for user in range(users):
        for step in range(length):
            item = (user * 3 + step) % ITEMS
            event = "buy" if step % 2 else "view"
            rows.append(f"u{user}\ti{item}\t{event}\t{step * 10 + user / 100}\t{1_700_000_000 + 100 * user + step}")
    (data / "shop.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
    items = ["item_id:token\ttitle:token_seq\tkind:token"]
    items += [f"i{item}\t{title} Number {item}\t{'tool' if item % 2 else 'toy'}" for item in range(ITEMS)]
    (data / "shop.item").write_text("\n".join(items) + "\n", encoding="utf-8")
    (folder / "shop.yaml").write_text(SETTINGS, encoding="utf-8")
