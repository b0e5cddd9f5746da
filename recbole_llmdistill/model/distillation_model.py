"""What every distilled model shares: the total loss, the stages, and a state dict without the head."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from torch import nn
from torch.nn.utils import parametrize

from recbole_llmdistill.config.settings import DistillationSettings
from recbole_llmdistill.data.item_vectors import ItemVectors
from recbole_llmdistill.data.user_vectors import UserVectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model import item_knowledge
from recbole_llmdistill.model.cpu import RandomBytes, matrix_product_type, use_fast_layers
from recbole_llmdistill.model.distillation import POOLINGS, DistillationHead, total_loss
from recbole_llmdistill.model.processes import mean_over_processes
from recbole_llmdistill.model.recommendation_loss.build import build_recommendation_loss, check_recommendation_loss
from recbole_llmdistill.model.recommendation_loss.text_smoothing import TextSmoothing
from recbole_llmdistill.model.representation import Representation, listening
from recbole_llmdistill.model.training_report import TrainingReport

_HEAD = "distillation_head"
_PARTS = ".parametrizations.weight"


if TYPE_CHECKING:
    from recbole.model.abstract_recommender import SequentialRecommender as _Base
else:  # whose methods come from the model that the mixin stands before
    _Base = object


class DistillationModel(_Base):
    """Mixin for a RecBole model: put it before the base model, ``class GRU4RecDistill(DistillationModel, GRU4Rec)``.

    What is distilled into is the vector that the model's ``forward`` gives for each row's user, or, where
    ``states_from`` names the part that encodes the sequence, the states of one of its layers. While it distils
    (:meth:`begin_distillation` to :meth:`end_distillation`) the loss is

        alpha * beta * L_distil + (1 - alpha) * L_rec

    and L_rec alone otherwise. The head is no part of ``state_dict()``, which therefore equals the base model's.

    Args:
        config: RecBole config with the keys of :class:`DistillationSettings`.
        dataset: training part of a built RecBole data set.

    Raises:
        InputError: a value is not allowed, or the layer does not exist.
    """

    states_from: ClassVar[str | None] = None
    """The part of the model whose outputs are states at every position, as :func:`listening` takes it, by the path that
    ``get_submodule`` takes; None: the model has one vector per user."""
    layers_setting: ClassVar[str | None] = None
    """The setting that says how many layers of states there are; None: known when the model has run."""
    whole_sequences: ClassVar[bool] = False
    """Whether the model can be trained on whole sequences, with a loss at every position."""
    user_vector: ClassVar[int | None] = 0
    """Which of the values that ``forward`` returns is one vector per user; None: none of them."""
    item_table: ClassVar[str | None] = "item_embedding"
    """Attribute of the model that is the table of item embeddings, for item knowledge; None: it has none."""
    item_biases: ClassVar[tuple[str, ...]] = ()
    """Weights of the state dict that have a row for each item and are in no table of embeddings."""

    def __init__(self, config: Config, dataset: Dataset) -> None:
        self._heard: Representation | None = None
        for field in config["selected_features"] or ():
            if field not in dataset.field2type:
                raise InputError(f"selected_features={config['selected_features']}: the .item file has no {field!r}")
        super().__init__(config, dataset)
        self.settings = DistillationSettings.from_config(config)
        self.distillation_layer = self.settings.distill_layer
        if (layers := self.number_of_layers(config)) is not None:
            self.distillation_layer = resolve_layer(self.settings.distill_layer, layers)
        self.distillation_head: DistillationHead | None = None
        self.recommendation_loss = build_recommendation_loss(self.settings, dataset, self.n_items)
        self.report = TrainingReport()
        self.random_bytes = use_fast_layers(self) if self.settings.sequence_fast_layers else RandomBytes()

    @property
    def item_rows(self) -> list[str]:
        """Weights of the state dict that have a row for each item, in the order of the data set's numbers, and perhaps
        further rows after those (a mask token's)."""
        return [*self._tables(self.n_items, {"user", "position"}), *self.item_biases]

    @property
    def user_rows(self) -> list[str]:
        """Weights of the state dict that have a row for each user, in the order of the data set's numbers."""
        tokens = self.token_tables  # as compat remembers them; sequential models do not count users
        n_users = len(tokens.tables.get(tokens.user_field, ()))
        return [name for name in self._tables(n_users, {"position"}) if "user" in name]

    def _tables(self, rows: int, of_others: set[str]) -> list[str]:
        return [
            f"{name}.weight"
            for name, module in self.named_modules()
            if isinstance(module, nn.Embedding)
            and module.num_embeddings in (rows, rows + 1)
            and not any(word in name for word in of_others)
        ]

    @classmethod
    def number_of_layers(cls, settings: Mapping[str, Any]) -> int | None:
        """Layers with states at every position; None where no setting says it."""
        return None if cls.layers_setting is None else settings[cls.layers_setting]

    @classmethod
    def poolings(cls) -> list[str]:
        """Values of ``distill_pooling`` that the model can serve."""
        return [
            *(POOLINGS if cls.states_from is not None else ()),
            *(["output"] if cls.user_vector is not None else ()),
        ]

    @classmethod
    def adapt_config(cls, config: dict[str, Any]) -> None:
        """Set, in RecBole's final config, what follows from our keys; refuse what cannot be served.

        Raises:
            InputError: whole sequences with a pairwise loss or a model that has none, a layer or a pooling that the
                model does not have, or losses that do not go together.
        """
        if (layers := cls.number_of_layers(config)) is not None:
            resolve_layer(config["distill_layer"], layers)
        if config["distill_pooling"] not in cls.poolings():
            what = "one vector per user" if cls.states_from is None else "states, and no vector per user"
            raise InputError(
                f"distill_pooling={config['distill_pooling']!r}: {cls.__name__} has {what}, so allowed is "
                f"{' or '.join(cls.poolings())}"
            )
        check_recommendation_loss(config)
        loaded = (config["load_col"] or {}).get("inter")
        # RecBole's default loads users and items alone.
        if loaded and loaded != "*" and config["TIME_FIELD"] not in loaded:
            config["load_col"] = {**config["load_col"], "inter": [*loaded, config["TIME_FIELD"]]}
        if loaded and (features := config.get("selected_features")) and "item" not in config["load_col"]:
            config["load_col"] = {**config["load_col"], "item": [config["ITEM_ID_FIELD"], *features]}
        if config["sequence_training"] == "whole" and not cls.whole_sequences:
            raise InputError(
                f"sequence_training='whole': {cls.__name__} has no state at every position that has seen its past "
                "alone; set sequence_training=prefix"
            )
        if config["sequence_training"] == "whole" and config["loss_type"] != "CE":
            raise InputError(
                f"loss_type={config['loss_type']!r} samples negatives for one target per row, which whole-sequence "
                "training does not have; set loss_type=CE, or sequence_training=prefix"
            )

    def begin_distillation(self, profiles: UserVectors, rows: Interaction) -> list[nn.Parameter]:
        """Enter stage one: make the head and add its loss from now on.

        Args:
            profiles: of the users.
            rows: some rows of the training part, to see how many layers of which size the model has.

        Returns:
            The head's parameters, for the optimizer.

        Raises:
            InputError: the layer does not exist, or the model gives no user vector.
        """
        device = next(self.parameters()).device
        size = self._size_of_states(rows.to(device))
        self.distillation_head = DistillationHead(self.settings, profiles, size).to(device)
        return list(self.distillation_head.parameters())

    @torch.no_grad()
    def _size_of_states(self, rows: Interaction) -> int:
        training = self.training
        self.eval()
        try:
            with torch.random.fork_rng(enabled=True), self._listening() as heard:
                self.full_sort_predict(rows)
                if self.states_from is None and heard.output is None:  # it ranks all items without its forward()
                    self(rows[self.USER_ID], rows[self.ITEM_ID])
        finally:
            self.train(training)
        if self.settings.distill_pooling != "output":
            self.distillation_layer = resolve_layer(self.settings.distill_layer, len(heard.layers))
        return self._states(heard, rows)[0].size(-1)

    def end_distillation(self) -> None:
        """Enter stage two: L_rec alone, and no head any more."""
        self.distillation_head = None

    @property
    def distilling(self) -> bool:
        """Whether this is stage one."""
        return self.distillation_head is not None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The base model's."""
        output = super().forward(*args, **kwargs)
        if self._heard is not None:
            self._heard.hear(output, (*args, *kwargs.values()))
        return output

    @contextmanager
    def _listening(self) -> Iterator[Representation]:
        """Collects, while open, what the model makes of a batch."""
        with listening(None if self.states_from is None else self.get_submodule(self.states_from)) as self._heard:
            try:
                yield self._heard
            finally:
                self._heard = None

    def _states(self, heard: Representation, interaction: Interaction) -> tuple[torch.Tensor, torch.Tensor]:
        """What is pooled: states ``[B, L, H]`` and the real positions ``[B, L]`` bool; a user vector is one state."""
        if self.settings.distill_pooling != "output":
            states = heard.states(self.distillation_layer)
            return states, interaction[self.ITEM_SEQ][:, : states.size(1)] != 0
        vectors = heard.user_vectors(interaction[self.USER_ID], self.user_vector or 0)
        if vectors is None:
            raise InputError(
                f"{type(self).__name__}: the model's forward() gives no vector [batch, size] per user, which is what "
                "profiles are distilled into"
            )
        return vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool, device=vectors.device)

    def calculate_loss(self, interaction: Interaction) -> torch.Tensor:
        """Total loss of a training batch, a scalar."""
        device = interaction[self.USER_ID].device
        product = matrix_product_type(self.settings.sequence_precision, device)
        with self.random_bytes.one_seed(), parametrize.cached():
            if self.settings.sequence_training == "prefix" or product == torch.float32:  # prefixes: as RecBole has them
                return self._total_loss(interaction)
            with torch.autocast(device.type, product):
                return self._total_loss(interaction)

    def _total_loss(self, interaction: Interaction) -> torch.Tensor:
        with self._listening() as heard:
            if self.settings.sequence_training == "whole":
                recommendation_loss = self.whole_sequence_loss(interaction, heard)
            else:
                loss = super().calculate_loss(interaction)
                # Some models give the parts of their loss, of which RecBole's trainer takes the sum.
                loss = torch.stack(loss).sum() if isinstance(loss, tuple) else loss
                recommendation_loss, _ = mean_over_processes(loss, len(interaction))
        self.report.add(recommendation_loss=recommendation_loss)
        if not self.distilling:
            return recommendation_loss
        states, real = self._states(heard, interaction)
        return self._with_distillation(recommendation_loss, states.float(), real, interaction[self.USER_ID])

    def whole_sequence_loss(self, interaction: Interaction, heard: Representation) -> torch.Tensor:
        """L_rec of a batch of windows, the mean over its targets.

        While it distils, ``heard`` gets what :meth:`_states` asks for: states ``[B, L, H]``, or user vectors.
        """
        raise NotImplementedError

    def loss_of_states(
        self,
        states: torch.Tensor,
        item_embeddings: torch.Tensor,
        targets: torch.Tensor,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """``sequence_loss`` of ``states [N, H]`` with ``targets [N]``, the mean over those of all processes.

        ``item_embeddings [I, H]`` and ``bias [I]`` are of the catalogue, the padding item first.
        """
        mean = self.recommendation_loss(states, item_embeddings, targets, bias)
        return mean_over_processes(mean, len(targets))[0]

    def _with_distillation(
        self, recommendation_loss: torch.Tensor, states: torch.Tensor, real: torch.Tensor, users: torch.Tensor
    ) -> torch.Tensor:
        assert self.distillation_head is not None  # as ``distilling`` says
        distillation = self.distillation_head(states, real, users)
        loss, n_users = states.new_zeros(()), 0  # nobody with a profile here, but perhaps in another process
        if distillation is not None:
            loss, n_users = distillation.loss, distillation.users
            self.report.add(target_spread=distillation.target_spread)
        loss, n_users = mean_over_processes(loss, n_users)
        if n_users == 0:
            return (1 - self.settings.distill_alpha) * recommendation_loss
        total, beta = total_loss(recommendation_loss, loss, self.settings)
        self.report.add(distillation_loss=loss, beta=beta)
        return total

    def _items(self) -> nn.Embedding | None:
        return None if self.item_table is None else getattr(self, self.item_table, None)

    def begin_item_knowledge(self, vectors: ItemVectors, seen: torch.Tensor) -> list[nn.Parameter]:
        """Let the table of item embeddings start from the texts, or be the free one and what the texts say.

        The latter lasts until :meth:`end_item_knowledge`.

        Args:
            vectors: of the items.
            seen: items that training sees, ``[n_items]`` bool.

        Returns:
            Further parameters, for the optimizer.

        Raises:
            InputError: the model has no table of item embeddings.
        """
        table = self._items()
        if not isinstance(table, nn.Embedding):
            raise InputError(
                f"item_knowledge={self.settings.item_knowledge}: {type(self).__name__} has no table of item "
                "embeddings; set item_knowledge=none"
            )
        if self.settings.item_knowledge == "init":
            item_knowledge.initialise(table, vectors, self.settings.item_scale)
            return []
        return item_knowledge.begin(table, vectors, self.settings.item_knowledge, seen, self.settings.item_map_layers)

    def smooth_targets(self, vectors: ItemVectors) -> None:
        """Give a share of each target to the items nearest by text, as ``item_target_smoothing`` says."""
        loss = TextSmoothing(self.recommendation_loss, self.settings.item_target_smoothing, vectors)
        self.recommendation_loss = loss.to(next(self.parameters()).device)

    def end_smoothing(self) -> None:
        """Take the targets as they are again."""
        if isinstance(self.recommendation_loss, TextSmoothing):
            self.recommendation_loss = self.recommendation_loss.loss

    def end_item_knowledge(self) -> None:
        """Fold what the texts say into the plain table."""
        if (table := self._items()) is not None:
            item_knowledge.fold(table)

    def item_knowledge_parts(self) -> dict[str, torch.Tensor] | None:
        """What the table of item embeddings is the sum of, for an exact continuation; None where it is plain."""
        table = self._items()
        return None if table is None else item_knowledge.parts_of(table)

    def load_with_parts(self, weights: Mapping[str, torch.Tensor], parts: Mapping[str, torch.Tensor]) -> None:
        """Load the recommender's weights, with :meth:`item_knowledge_parts` in place of the table."""
        others = {name: weight for name, weight in weights.items() if name != f"{self.item_table}.weight"}
        named = {f"{self.item_table}.parametrizations.{key}": part for key, part in parts.items()}
        self.load_state_dict({**others, **named})

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Weights of the recommender: exactly the base model's keys, with item knowledge folded in."""
        state = super().state_dict(*args, **kwargs)
        for key in [key for key in state if f"{_HEAD}." in key]:
            del state[key]
        if any(_PARTS in key for key in state):  # in their place, the table that they come to
            table = item_knowledge.folded(cast(nn.Embedding, self._items()))
            parts = list(state.items())
            state.clear()
            for key, part in parts:
                place, is_part, _ = key.partition(_PARTS)
                state[f"{place}.weight" if is_part else key] = table if is_part else part
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, **kwargs: Any) -> Any:
        """Load the recommender's weights; those of the head, if there is one, stay as they are.

        Item knowledge ends with it, as the table has it folded in; unless the weights hold the parts of the table.
        """
        if not any(_PARTS in key for key in state_dict):
            self.end_item_knowledge()
        head, self.distillation_head = self.distillation_head, None
        try:
            return super().load_state_dict(state_dict, strict=strict, **kwargs)
        finally:
            self.distillation_head = head


def resolve_layer(layer: int, n_layers: int) -> int:
    """Index of a layer counted from 0, where negative numbers count from the last.

    Raises:
        InputError: there is no such layer.
    """
    if not isinstance(layer, int) or not -n_layers <= layer < n_layers:
        raise InputError(
            f"distill_layer={layer!r}: this model has n_layers={n_layers}, so allowed are 0 to {n_layers - 1}, "
            f"or -{n_layers} to -1 counted from the last"
        )
    return layer % n_layers
