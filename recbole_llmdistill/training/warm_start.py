"""Weights of an older catalogue as the start of training on today's: rows follow their tokens.

Items that the checkpoint knows keep their rows, wherever they stand now; items that are gone are left out; new items
start from what their texts say of them, where there are vectors of these, or from the model's usual initialisation.
Where a model has tables of users, the same holds for these, without texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger

import torch
from recbole.config import Config

from recbole_llmdistill.compat import item_counts
from recbole_llmdistill.compat.checkpoints import check_weights, read_checkpoint, weights_of
from recbole_llmdistill.compat.token_tables import KEY, TokenTables, difference, warn_of_unknown_order
from recbole_llmdistill.data.item_vectors import read_item_vectors
from recbole_llmdistill.data.vector_lookup import find_item_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.item_knowledge import mapped_from_text


def warm_start(model: DistillationModel, config: Config, file: str) -> None:
    """Load the weights of a checkpoint into a model, perhaps of another catalogue, and log what became of its rows.

    Args:
        model: on the data set at hand.
        config: of the run.
        file: the checkpoint, ours or RecBole's own of the base model; one without tokens is taken by row numbers.

    Raises:
        InputError: it is no such checkpoint, holds NaN, or is of another model, other sizes or other items.
    """
    told = f"distill_warm_start: {file}"
    state = read_checkpoint(file, map_location=next(model.parameters()).device)
    weights = weights_of(state, told)
    check_weights(weights, told)
    then = TokenTables.from_checkpoint(state, told)
    lines = [f"Training starts from the weights in {file}"]
    try:
        if then is None:
            warn_of_unknown_order(told)
        else:
            items = Matched.of(then, model.token_tables, "items", told)
            items.take_rows(model, model.item_rows, weights)
            counts = item_counts.from_checkpoint(state, items.then, told)
            lines.append(items.line(_fill(model, config, weights, items, counts)))
            matched = [items]
            if user_rows := model.user_rows:
                users = Matched.of(then, model.token_tables, "users", told)
                users.take_rows(model, user_rows, weights)
                lines.append(users.line())
                matched.append(users)
            _check_others(model, weights, then, matched, told)
        model.load_state_dict(weights)
    except (IndexError, RuntimeError) as error:  # names or shapes of weights differ
        raise InputError(
            f"{told} does not hold weights of this model with these sizes ({' '.join(str(error).split())})"
        ) from error
    getLogger().info("; ".join(lines))


@dataclass(frozen=True)
class Matched:
    """Which row of a checkpoint's tables each item (or user) of the data set had.

    Attributes:
        what: ``items`` or ``users``.
        rows: ``[N]`` int64, the padding's first; -1 where the checkpoint does not know the token.
        then: rows of the checkpoint.
    """

    what: str
    rows: torch.Tensor
    then: int

    @classmethod
    def of(cls, then: TokenTables, own: TokenTables, what: str, file: str) -> "Matched":
        """Match the tokens of a checkpoint and of the data set.

        Args:
            then: of the checkpoint.
            own: of the data set.
            what: ``items`` or ``users``.
            file: the checkpoint, for messages.

        Raises:
            InputError: the checkpoint has no such tokens, or none of the data set's.
        """
        field, own_field = (tables.item_field if what == "items" else tables.user_field for tables in (then, own))
        if field not in then.tables or own_field is None:
            raise InputError(f"{file}: its {KEY} are damaged (no {what})")
        before, now = then.tokens(str(field)), own.tokens(own_field)
        row = {token: number for number, token in enumerate(before)}
        rows = torch.tensor([row.get(token, -1) for token in now])
        if not (rows[1:] >= 0).any():
            raise InputError(f"{file} is of other {what}: {difference(before, now, own_field)}")
        return cls(what, rows, len(before))

    @property
    def known(self) -> torch.Tensor:
        """Which of the data set's the checkpoint knows, ``[N]`` bool."""
        return self.rows >= 0

    def take_rows(self, model: torch.nn.Module, names: Sequence[str], weights: dict[str, torch.Tensor]) -> None:
        """Put a checkpoint's tables in the order of the data set; rows that it lacks are the model's own.

        What comes after the rows of items or users (a mask token's) stays there.

        Args:
            model: on the data set.
            names: of the tables.
            weights: of the checkpoint, to be changed.

        Raises:
            IndexError: the shape of a row, or the number of further rows, differs.
        """
        own = model.state_dict()
        for name in names:
            if name not in weights or name not in own:
                continue  # loading says what is missing
            then, now = weights[name], own[name]
            if len(then) - self.then != len(now) - len(self.rows) or then.shape[1:] != now.shape[1:]:
                raise IndexError(f"{name} is {list(then.shape)} in the checkpoint, {list(now.shape)} in the model")
            weights[name] = table = now.clone()
            table[: len(self.rows)][self.known] = then[self.rows[self.known]].to(table)
            table[len(self.rows) :] = then[self.then :]

    def line(self, filled: int = 0) -> str:
        """What became of the rows, for people; ``filled`` of the new ones start from their texts."""
        kept, new = int(self.known.sum()) - 1, int((~self.known).sum())  # without the padding
        then = self.then - 1
        text = f"{kept:,} of its {then:,} {self.what} keep their rows, {then - kept:,} are gone, {new:,} are new"
        if new:
            text += f" ({filled:,} start from a map of their texts, " if filled else " ("
            text += f"{new - filled:,} from the usual initialisation)"
        return text


def _check_others(
    model: DistillationModel,
    weights: dict[str, torch.Tensor],
    then: TokenTables,
    matched: Sequence[Matched],
    told: str,
) -> None:
    """Refuse weights that are numbered by what has another numbering now, and cannot follow it.

    Raises:
        InputError: names the weight, or the field.
    """
    follow = {*model.item_rows, *model.user_rows}
    for one in matched:
        if one.then == len(one.rows) and torch.equal(one.rows, torch.arange(one.then)):
            continue
        for name, weight in weights.items():
            if name not in follow and {one.then, one.then + 1} & set(weight.shape):
                raise InputError(
                    f"{told}: the {one.what} are others, or in another order, and {name} cannot follow them; train "
                    "from the start, or on the data set of the checkpoint"
                )
    own = model.token_tables
    for field in then.tables.keys() - {then.item_field, then.user_field}:
        if field in own.tables and (found := difference(then.tokens(field), own.tokens(field), field)):
            raise InputError(f"{told}: {found}, and the weights of that field cannot follow")


def _fill(
    model: DistillationModel,
    config: Config,
    weights: dict[str, torch.Tensor],
    items: Matched,
    counts: torch.Tensor | None,
) -> int:
    """Let new items that have a text vector start from what a map of these says, learnt from the known items.

    Args:
        model: of the data set at hand.
        config: of the run.
        weights: with the items in the data set's order, to be changed.
        items: which of them are known.
        counts: ``[rows of the checkpoint]`` how often each item was a training target; None: it does not say.

    Returns:
        How many items.

    Raises:
        InputError: the file of item vectors cannot be used, or is not there though it was asked for.
    """
    if items.known.all():
        return 0
    try:
        path = find_item_vectors(config)
    except InputError:
        if model.settings.item_knowledge != "none" or config["item_vectors_path"]:
            raise
        return 0
    tokens = model.token_tables.tokens(model.token_tables.item_field)
    texts = read_item_vectors(path, {token: number for number, token in enumerate(tokens)}).standardized("none")
    learnt = items.known & texts.present
    if counts is not None:  # the rows of the others are what a random start made of them
        learnt &= counts[items.rows.clamp(min=0)] > 0
    known, new = learnt.nonzero().squeeze(1), (~items.known & texts.present).nonzero().squeeze(1)
    if not len(known) or not len(new):
        return 0
    for name in model.item_rows:
        if name in weights:
            weights[name][new] = mapped_from_text(texts.vectors, known, weights[name][known], new)
    return len(new)
