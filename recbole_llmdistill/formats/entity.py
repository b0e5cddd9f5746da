"""Whom texts and vectors are of, users or items, and what their files and fields are called: the one place for it."""

from dataclasses import dataclass
from typing import Literal

Of = Literal["users", "items"]
"""Values of the option ``of``."""


@dataclass(frozen=True)
class Entity:
    """The names that go with one kind of things that are described.

    Attributes:
        name: value of the option ``of``; the plural, for messages.
        noun: one of them, for messages.
        text: key of a text in the file of texts, and what a text is called; with an s, the key of several.
        texts: file of the texts: JSON, one line each.
        manifest: file beside texts and vectors that says how they were made. Each kind has its own, so that vectors of
            both can lie in one folder.
        fingerprint: key of the manifest: digest of the data that the texts were written from.
        suffix: of RecBole's text file of vectors; ``.npz`` is added for its binary twin.
        id: the names' array in the binary file, and their key in the file of texts.
        column: the names' column in the text file. Not ``id``: RecBole takes a column of an additional file for
            another one than that of the interactions, and ``alias_of_user_id`` (``alias_of_item_id``) joins the two.
        vector: the vectors' array, and their column in the text file.
        id_setting: RecBole's setting that names their column in the interactions.
        shown: what an LLM is shown of one of them, in the plural.
        source: the same as a whole, for messages.
        held_out: what of one of them is held out and foretold by its neighbours: a user's items, an item's users.
        common: by what neighbours without vectors are found.
    """

    name: Of
    noun: str
    text: str
    texts: str
    manifest: str
    fingerprint: str
    suffix: str
    id: str
    column: str
    vector: str
    id_setting: str
    shown: str
    source: str
    held_out: str
    common: str

    @property
    def binary_suffix(self) -> str:
        """Of the binary file of vectors."""
        return f"{self.suffix}.npz"


USERS = Entity(
    name="users",
    noun="user",
    text="profile",
    texts="profiles.jsonl",
    manifest="manifest.json",
    fingerprint="training_fingerprint",
    suffix=".useremb",
    id="user_id",
    column="uid",
    vector="user_emb",
    id_setting="USER_ID_FIELD",
    shown="interactions",
    source="a training history",
    held_out="taste",
    common="interactions",
)
ITEMS = Entity(
    name="items",
    noun="item",
    text="text",
    texts="items.jsonl",
    manifest="items.manifest.json",
    fingerprint="item_fingerprint",
    suffix=".itememb",
    id="item_id",
    column="iid",
    vector="item_emb",
    id_setting="ITEM_ID_FIELD",
    shown="fields",
    source="a text in the .item file",
    held_out="audience",
    common="co-occurrence",
)
ENTITIES: dict[Of, Entity] = {entity.name: entity for entity in (USERS, ITEMS)}
"""By the value of the option ``of``."""
