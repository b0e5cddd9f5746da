"""Those who get a text: users by their histories, items by their fields. What a run needs to know of them."""

from typing import Any, Protocol

import numpy as np

from recbole_llmdistill.formats.entity import Entity
from recbole_llmdistill.profiles.history.histories import History


class Subjects(Protocol):
    """:class:`~recbole_llmdistill.profiles.history.histories.Histories` of users, or
    :class:`~recbole_llmdistill.profiles.history.item_fields.ItemFields`.
    """

    @property
    def of(self) -> Entity:
        """Users or items."""

    @property
    def tokens(self) -> np.ndarray:
        """Name of each, as the data set writes it, ``[N]``."""

    @property
    def header(self) -> str:
        """The line above the lines of one of them that names their cells; empty where the lines name them."""

    @property
    def has_values(self) -> bool:
        """Whether ``{if values}`` holds in a prompt."""

    @property
    def has_dates(self) -> bool:
        """Whether ``{if dates}`` holds in a prompt."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> History:
        """What is shown of one of them."""

    def described(self) -> dict[str, Any]:
        """For the manifest: what they are and how they are shown."""

    @property
    def notes(self) -> list[str]:
        """What is not shown, or otherwise than it is written; for people."""

    def held_out_titles(self, index: int) -> list[str]:
        """What a text of this one must not name."""
