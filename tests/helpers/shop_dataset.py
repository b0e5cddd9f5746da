"""A small data set with texts, an event and a number of each interaction."""

from pathlib import Path

import numpy as np

USERS, ITEMS, LENGTH = 12, 20, 8

SETTINGS = """
load_col: {inter: [user_id, item_id, timestamp]}
profile_item_fields: {title: title, kind: kind}
profile_interaction_fields: {event: event, share: share watched}
"""


def write_shop(folder: Path, users: int = USERS, length: int = LENGTH, title: str = "Fine Thing") -> None:
    """A data set ``shop`` in ``folder/dataset/shop``; user u has ``length`` different items, the last two held out."""
    items = max(ITEMS, length)
    data = folder / "dataset" / "shop"
    data.mkdir(parents=True, exist_ok=True)
    rows = ["user_id:token\titem_id:token\tevent:token\tshare:float\ttimestamp:float"]
    for user in range(users):
        for step in range(length):
            item = (user * 3 + step) % items
            event = "buy" if step % 2 else "view"
            rows.append(f"u{user}\ti{item}\t{event}\t{step * 10 + user / 100}\t{1_700_000_000 + 100 * user + step}")
    (data / "shop.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
    rows = ["item_id:token\ttitle:token_seq\tkind:token"]
    rows += [f"i{item}\t{title} Number {item}\t{'tool' if item % 2 else 'toy'}" for item in range(items)]
    (data / "shop.item").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "shop.yaml").write_text(SETTINGS, encoding="utf-8")


EVENTS = ("view", "cart", "purchase")
_STYLES = ("Klassik", "Nordisch", "Modern", "Rustikal", "Kompakt", "Premium", "Basis", "Reise")
_STYLES_ENGLISH = ("Classic", "Nordic", "Modern", "Rustic", "Compact", "Premium", "Basic", "Travel")
_THINGS = ("Pfanne", "Lampe", "Decke", "Kaffee", "Messer", "Rucksack", "Sessel", "Kanne", "Uhr", "Schal")
_THINGS_ENGLISH = ("Pan", "Lamp", "Blanket", "Coffee", "Knife", "Backpack", "Armchair", "Teapot", "Clock", "Scarf")
_CATEGORIES = ("Home > Kitchen", "Home > Living Room", "Home > Bedroom", "Food > Coffee", "Outdoor > Travel", "Fashion")
_BRANDS = ("Nord Haus", "Nord Licht", "Alt Haus", "Alt Licht", "Berg Werk", "Berg Haus", "See Werk", "See Licht")
_SENTENCES = (
    "Made of selected materials, it lasts for many years and is easy to clean.",
    "The set comes in a gift box with a leaflet on use and care.",
    "Our customers praise the balanced weight and the comfortable handle.",
    "Suitable for daily use at home, in the office and on journeys.",
    "Returned free of charge within thirty days, with two years of guarantee.",
)


def write_click_log(folder: Path, users: int = 2_500, items: int = 800, seed: int = 0) -> None:
    """A data set ``clicks`` as a web shop's log gives it, in ``folder/dataset/clicks``.

    Titles in two languages, a description of several sentences, paths of categories, brands of two words; of each
    interaction event, price and quantity. Customers come back to their favourites: an item occurs up to ten times and
    more in a history. Times are true seconds over two years, beside the ``time_rank`` that RecBole sorts by.
    """
    draw = np.random.default_rng(seed)
    data = folder / "dataset" / "clicks"
    data.mkdir(parents=True, exist_ok=True)
    price = np.round(np.exp(draw.normal(3, 1, items)), 2)
    rows = [
        "item_id:token\ttitle_de:token_seq\ttitle_en:token_seq\tbrand:token_seq\tcategory:token_seq\tprice:float\tdescription:token_seq"
    ]
    for item in range(items):
        style, thing, size = item % 8, item // 8 % 10, item // 80
        description = " ".join(draw.permutation(_SENTENCES)[: draw.integers(2, 6)].tolist() * 2)
        rows.append(
            f"i{item}\t{_THINGS[thing]} {_STYLES[style]} Größe {size}, zeitlos und für jeden Tag\t"
            f"{_THINGS_ENGLISH[thing]} {_STYLES_ENGLISH[style]} size {size}, timeless and for every day\t"
            f"{_BRANDS[item % len(_BRANDS)]}\t{_CATEGORIES[thing % len(_CATEGORIES)]}\t{price[item]}\t{description}"
        )
    (data / "clicks.item").write_text("\n".join(rows) + "\n", encoding="utf-8")
    events = []
    for user in range(users):
        length = int(np.clip(np.exp(draw.normal(2.6, 0.9)), 3, 250))
        favourites = draw.integers(0, items, max(2, length // 4))
        days = np.sort(draw.integers(0, 730, max(1, length // 5)))
        for day in np.sort(draw.choice(days, length)):
            item = int(draw.choice(favourites)) if draw.random() < 0.6 else int(draw.integers(items))
            moment = 1_650_000_000 + int(day) * 86_400 + int(draw.integers(28_800, 72_000))
            event = EVENTS[int(draw.choice(3, p=(0.7, 0.2, 0.1)))]
            events.append((moment, f"u{user}", f"i{item}", event, price[item], int(draw.integers(1, 4))))
    events.sort()
    lines = ["user_id:token\titem_id:token\tevent:token\tprice:float\tqty:float\ttimestamp:float\ttime_rank:float"]
    lines += [
        f"{user}\t{item}\t{event}\t{paid}\t{quantity}\t{moment}\t{rank}"
        for rank, (moment, user, item, event, paid, quantity) in enumerate(events)
    ]
    (data / "clicks.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "clicks.yaml").write_text(
        "TIME_FIELD: time_rank\nload_col: {inter: [user_id, item_id, time_rank]}\n", encoding="utf-8"
    )
