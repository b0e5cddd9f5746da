"""What every distilled model shares: the total loss, the stages, and a state dict without the head."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

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
from recbole_llmdistill.model.distillation import DistillationHead, total_loss
from recbole_llmdistill.model.hidden_states import hidden_states
from recbole_llmdistill.model.packing import Packing, pack_rows
from recbole_llmdistill.model.processes import mean_over_processes
from recbole_llmdistill.model.recommendation_loss.build import build_recommendation_loss, check_recommendation_loss
from recbole_llmdistill.model.training_report import TrainingReport

_HEAD = "distillation_head"
_PARTS = ".parametrizations.weight"


if TYPE_CHECKING:
    from recbole.model.abstract_recommender import SequentialRecommender as _Base
else:  # whose methods come from the model that the mixin stands before
    _Base = object


class DistillationModel(_Base):
    """Mixin for a RecBole sequential model with a transformer encoder ``trm_encoder``.

    Put it before the base model: ``class SASRecDistill(DistillationModel, SASRec)``. While it distils
    (:meth:`begin_distillation` to :meth:`end_distillation`) the loss is

        alpha * beta * L_distil + (1 - alpha) * L_rec

    and L_rec alone otherwise. The head is no part of ``state_dict()``, which therefore equals the base model's.

    Args:
        config: RecBole config with the keys of :class:`DistillationSettings`.
        dataset: training part of a built RecBole data set.

    Raises:
        InputError: a value is not allowed, or the layer does not exist.
    """

    item_rows: ClassVar[tuple[str, ...]] = ("item_embedding.weight",)
    """Weights of the state dict that have a row for each item, in the order of the data set's numbers, and perhaps
    further rows after those."""

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.settings = DistillationSettings.from_config(config)
        self.distillation_layer = resolve_layer(self.settings.distill_layer, self.n_layers)
        self.distillation_head: DistillationHead | None = None
        self.recommendation_loss = build_recommendation_loss(self.settings, dataset, self.n_items)
        self.report = TrainingReport()
        self.random_bytes = use_fast_layers(self) if self.settings.sequence_fast_layers else RandomBytes()

    @classmethod
    def adapt_config(cls, config: dict[str, Any]) -> None:
        """Set, in RecBole's final config, what follows from our keys; refuse what cannot be served.

        Raises:
            InputError: whole sequences with a pairwise loss, a layer that does not exist, or losses that do not
                go together.
        """
        resolve_layer(config["distill_layer"], config["n_layers"])
        check_recommendation_loss(config)
        loaded = (config["load_col"] or {}).get("inter")
        # RecBole's default loads users and items alone.
        if loaded and loaded != "*" and config["TIME_FIELD"] not in loaded:
            config["load_col"] = {**config["load_col"], "inter": [*loaded, config["TIME_FIELD"]]}
        if config["sequence_training"] == "whole" and config["loss_type"] != "CE":
            raise InputError(
                f"loss_type={config['loss_type']!r} samples negatives for one target per row, which whole-sequence "
                "training does not have; set loss_type=CE, or sequence_training=prefix"
            )

    def begin_distillation(self, profiles: UserVectors) -> list[nn.Parameter]:
        """Enter stage one: make the head and add its loss from now on.

        Returns:
            The head's parameters, for the optimizer.
        """
        device = next(self.parameters()).device
        self.distillation_head = DistillationHead(self.settings, profiles, self.hidden_size).to(device)
        return list(self.distillation_head.parameters())

    def end_distillation(self) -> None:
        """Enter stage two: L_rec alone, and no head any more."""
        self.distillation_head = None

    @property
    def distilling(self) -> bool:
        """Whether this is stage one."""
        return self.distillation_head is not None

    @property
    def distils_last_layer(self) -> bool:
        """Whether the last layer's states are needed at every position, and not only where there is a target."""
        return self.distilling and self.distillation_layer == self.n_layers - 1

    def calculate_loss(self, interaction: Interaction) -> torch.Tensor:
        """Total loss of a training batch, a scalar."""
        device = interaction[self.ITEM_SEQ].device
        product = matrix_product_type(self.settings.sequence_precision, device)
        with self.random_bytes.one_seed(), parametrize.cached():
            if self.settings.sequence_training == "prefix" or product == torch.float32:  # prefixes: as RecBole has them
                return self._total_loss(interaction)
            with torch.autocast(device.type, product):
                return self._total_loss(interaction)

    def _total_loss(self, interaction: Interaction) -> torch.Tensor:
        if self.settings.sequence_training == "whole":
            packing = pack_rows(interaction[self.ITEM_SEQ_LEN], interaction[self.ITEM_SEQ].size(1))
            recommendation_loss, layers = self.whole_sequence_loss(interaction, packing)
            states = packing.unpack(layers[self.distillation_layer]).float() if self.distilling else None
        else:
            with hidden_states(self.trm_encoder) as layers:
                rows = len(interaction[self.ITEM_SEQ])
                recommendation_loss, _ = mean_over_processes(super().calculate_loss(interaction), rows)
            states = layers[self.distillation_layer]
        self.report.add(recommendation_loss=recommendation_loss)
        if states is None or not self.distilling:
            return recommendation_loss
        real = interaction[self.ITEM_SEQ] != 0
        return self._with_distillation(recommendation_loss, states, real, interaction[self.USER_ID])

    def whole_sequence_loss(
        self, interaction: Interaction, packing: Packing
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """L_rec of a batch of windows, the mean over its targets, and the packed states of each layer.

        Those of the last layer may be left out unless ``distils_last_layer``.
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

    def begin_item_knowledge(self, vectors: ItemVectors, seen: torch.Tensor) -> list[nn.Parameter]:
        """Let the table of item embeddings be the free one and what the texts say, until :meth:`end_item_knowledge`.

        Args:
            vectors: of the items.
            seen: items that training sees, ``[n_items]`` bool.

        Returns:
            Further parameters, for the optimizer.
        """
        kind = self.settings.item_knowledge
        return item_knowledge.begin(self.item_embedding, vectors, kind, seen, self.settings.item_map_layers)

    def end_item_knowledge(self) -> None:
        """Fold what the texts say into the plain table."""
        item_knowledge.fold(self.item_embedding)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Weights of the recommender: exactly the base model's keys, with item knowledge folded in."""
        state = super().state_dict(*args, **kwargs)
        for key in [key for key in state if f"{_HEAD}." in key]:
            del state[key]
        if any(_PARTS in key for key in state):  # in their place, the table that they come to
            table = self.item_embedding.weight.detach()
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
