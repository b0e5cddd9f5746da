"""A model from its checkpoint alone: weights, config, item tokens and item counts are all in the file.

RecBole builds a model on a data set. What most models ask of it are the numbers of users and items, which the tokens in
the checkpoint say; a model that asks for more (a graph of the interactions, features of the items) needs the data set.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from recbole.data import create_dataset
from recbole.data.interaction import Interaction
from recbole.utils import ModelType, init_seed

from recbole_llmdistill.compat import item_counts
from recbole_llmdistill.compat.checkpoints import (
    check_weights,
    config_of,
    explained,
    first_line,
    read_checkpoint,
    rebuild_model,
    weights_of,
)
from recbole_llmdistill.compat.token_tables import TokenTables, check_numbering
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.recommendation.histories import Histories


class CheckpointModel:
    """A trained model that scores all items of its catalogue.

    Args:
        file: path of the checkpoint.
        data_path: folder that holds the folder of the data set, for what the checkpoint lacks; None: where training
            found it.

    Attributes:
        file: the checkpoint.
        name: of the model's class.
        sequential: scores depend on a sequence of items.
        longest: items of a sequence that the model reads.
        item_tokens: ``[N]`` token of each item's number, the padding's first.
        item_numbers: number of each token, without the padding's.
        item_counts: ``[N]`` int64, training targets that each item is; None where the checkpoint does not say.
        user_numbers: number of each user token; None where scores do not depend on who the user is.
        network: the model itself, in evaluation.
        dataset: name of the data set.
        validation: ``metric``, ``value`` and ``epoch`` by which training chose these weights; empty where the
            checkpoint does not say.

    Raises:
        InputError: the file cannot be used, or needs a data set that is not there.
    """

    def __init__(self, file: str | Path, data_path: str | Path | None = None) -> None:
        self.file = str(file)
        state = read_checkpoint(file, "cpu")
        self._config = config = config_of(state, self.file)
        self._histories: Histories | None = None
        if getattr(config.model_class, "type", None) in (ModelType.CONTEXT, ModelType.DECISIONTREE):
            raise InputError(f"{self.file}: {config['model']} scores rows of features, and neither users nor sequences")
        check_weights(weights_of(state, self.file), self.file)
        if data_path is not None:
            config["data_path"] = str(Path(data_path) / config["dataset"])
        tables = TokenTables.from_checkpoint(state, self.file)
        if tables is None and data_path is None:
            raise InputError(
                f"{self.file} does not hold the tokens of its items (it was written by RecBole itself, or by an older "
                f"recbole-llmdistill); say with --data-path which folder holds the data set {config['dataset']}"
            )
        if tables is not None and tables.item_field not in tables.tables:
            raise InputError(f"{self.file}: its token_tables are damaged (no items)")
        if tables is None:
            training_part = self._training_part(state)
            tables, model = TokenTables.of(training_part), rebuild_model(state, training_part, self.file)
            assert tables is not None  # of a data set that trained a model
        else:
            model = self._build(state, tables)
        self.name: str = config["model"]
        self.sequential = model.type == ModelType.SEQUENTIAL
        self.longest: int = config["MAX_ITEM_LIST_LENGTH"] if self.sequential else 0
        self.network, self._device = model.eval(), config["device"]
        self.dataset: str = config["dataset"]
        self.validation = _validation(state, config)
        self.item_tokens = tables.tokens(tables.item_field)
        self.item_numbers = {token: number for number, token in enumerate(self.item_tokens) if number}
        counts = item_counts.from_checkpoint(state, len(self.item_tokens), self.file)
        if counts is None:  # None again where the model stands on the checkpoint alone
            counts = cast("torch.Tensor | None", model.item_counts)
        self.item_counts = None if counts is None else counts.cpu().numpy().astype(np.int64)
        field = tables.user_field
        users = tables.tokens(field) if field is not None and field in tables.tables else None
        self.user_numbers: dict[str, int] | None = None
        if self._ask_once(users is not None) and users is not None:
            self.user_numbers = {token: number for number, token in enumerate(users) if number}

    @torch.no_grad()
    def scores(self, sequences: Sequence[Sequence[int]], users: Sequence[int] | None) -> torch.Tensor:
        """Scores of all items, ``[B, N]`` float32; the padding's is minus infinity.

        Args:
            sequences: ``B`` sequences of item numbers, the newest last, of which the newest :attr:`longest` count;
                none may be empty where the model is :attr:`sequential`.
            users: ``[B]`` user numbers, for a model that has :attr:`user_numbers`.
        """
        columns = {} if users is None else {self.network.USER_ID: torch.tensor(users)}
        if self.sequential:
            lengths = torch.tensor([min(len(sequence), self.longest) for sequence in sequences])
            # Of our models on whole sequences alone it is known that padding changes nothing.
            width = int(lengths.max()) if getattr(self.network, "whole_sequences", False) else self.longest
            rows = np.zeros((len(sequences), width), dtype=np.int64)
            for row, sequence, length in zip(rows, sequences, lengths.tolist(), strict=True):
                row[:length] = sequence[len(sequence) - length :]
            columns |= {self.network.ITEM_SEQ: torch.from_numpy(rows), self.network.ITEM_SEQ_LEN: lengths}
        predict = cast(Callable[[Interaction], torch.Tensor], self.network.full_sort_predict)
        scores = predict(Interaction(columns).to(self._device))
        scores = scores.view(len(sequences), -1)[:, : len(self.item_tokens)].float()  # without a mask token's
        scores[:, 0] = -torch.inf
        return scores

    @property
    def histories(self) -> Histories:
        """Histories of the data set's users, which is loaded when they are first asked for.

        Raises:
            InputError: the data set is not there, or has no histories.
        """
        if self._histories is None:
            self._load_data_set()
        if self._histories is None:
            raise InputError(
                "benchmark_filename: the files of this data set hold ready-made rows and no histories; give --sequences"
            )
        return self._histories

    def _ask_once(self, knows_users: bool) -> bool:
        """Ask for one sequence or user, and return whether it matters who the user is.

        Raises:
            InputError: the model cannot score a catalogue from what there is to say.
        """
        attempts: list[list[int] | None] = [None] if self.sequential else []
        if knows_users or not self.sequential:
            attempts.append([0])
        for users in attempts:
            if (missing := self._missing_field(users)) is None:
                return users is not None
        raise InputError(
            f"{self.file}: {self.name} reads the field {missing} of its data set, which is more than a user and a "
            "sequence of items, so it cannot recommend from those"
        )

    def _missing_field(self, users: list[int] | None) -> str | None:
        try:
            self.scores([[1]], users)
        except KeyError as error:
            return str(error.args[0])
        except NotImplementedError:
            raise InputError(
                f"{self.file}: {self.name} scores single pairs of a user and an item, and no whole catalogue"
            ) from None
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"{self.file}: {self.name} cannot be asked for items ({first_line(error)})") from error
        return None

    def _build(self, state: Mapping[str, Any], tables: TokenTables) -> torch.nn.Module:
        """The model, of the checkpoint alone if that suffices."""
        if issubclass(self._config.model_class, DistillationModel):  # other losses count items, for training alone
            self._config["sequence_loss"], self._config["sequence_popularity_smoothing"] = "softmax", 0
        try:
            return rebuild_model(state, _StandIn(self._config, tables), self.file)
        except InputError as error:
            if not isinstance(error.__cause__, _NotInCheckpoint):
                raise
            missing = error.__cause__
        if not self._data_set_is_there():
            raise InputError(
                f"{self.file}: {self._config['model']} is built from more of its data set ({missing}) than a "
                f"checkpoint holds; say with --data-path which folder holds the data set {self._config['dataset']}"
            )
        return rebuild_model(state, self._training_part(state), self.file)

    def _training_part(self, state: Mapping[str, Any]) -> Any:
        config = self._config
        init_seed(config["seed"], config["reproducibility"])  # as before training: a split may be random
        dataset = self._load_data_set()
        tables = TokenTables.of(dataset)
        assert tables is not None  # of a data set that trained a model
        check_numbering(state, tables, self.file)
        with explained(self.file):
            return dataset.build()[0]

    def _load_data_set(self) -> Any:
        if not self._data_set_is_there():
            raise InputError(
                f"{self.file} was trained on the data set {self._config['dataset']}, which is not in "
                f"{self._config['data_path']}; say with --data-path which folder holds it now, or give --sequences, "
                "which need no data set"
            )
        with explained(self.file):
            dataset = create_dataset(self._config)
        if dataset.benchmark_filename_list is None:
            self._histories = Histories.of(dataset)
        return dataset

    def _data_set_is_there(self) -> bool:
        folder = self._config["data_path"]
        return bool(folder) and Path(folder).is_dir()


class _NotInCheckpoint(AttributeError):
    """A model asks its data set for something that a checkpoint does not hold."""


class _StandIn:
    """Answers as the training part did, as far as a checkpoint can: how many users and items there are."""

    def __init__(self, config: Any, tables: TokenTables) -> None:
        self.uid_field, self.iid_field = tables.user_field, tables.item_field
        self.field2id_token = tables.tables
        self.field2seqlen = {config["ITEM_ID_FIELD"] + config["LIST_SUFFIX"]: config["MAX_ITEM_LIST_LENGTH"]}

    def num(self, field: str | None) -> int:
        """Values of a field, the padding among them; of users that no weight depends on, the padding alone."""
        if field == self.uid_field and field not in self.field2id_token:
            return 1
        if field is None or field not in self.field2id_token:
            raise _NotInCheckpoint(f"values of {field}")
        return len(self.field2id_token[field])

    @property
    def item_num(self) -> int:
        """Items, the padding among them."""
        return self.num(self.iid_field)

    @property
    def user_num(self) -> int:
        """Users, likewise."""
        return self.num(self.uid_field)

    def __getattr__(self, name: str) -> Any:
        raise _NotInCheckpoint(name)


def _validation(state: Mapping[str, Any], config: Any) -> dict[str, Any]:
    value = state.get("best_valid_score")
    if not isinstance(value, float) or not np.isfinite(value):
        return {}
    return {"metric": str(config["valid_metric"]), "value": value, "epoch": state.get("epoch")}
