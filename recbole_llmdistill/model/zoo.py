"""Students: RecBole's models and ESASRec, each with what distillation has to know of it, in a line.

Each ``<Model>Distill`` is made of RecBole's class and :class:`DistillationModel`; a model with a class of its own,
SASRec or BERT4Rec, needed more than a line.
"""

from typing import Any

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.model import general_recommender as general
from recbole.model import sequential_recommender as sequential
from recbole.model.abstract_recommender import AbstractRecommender, GeneralRecommender
from recbole.utils import ModelType

from recbole_llmdistill.config.model_names import distilled_name, model_names
from recbole_llmdistill.model.bert4recdistill import BERT4RecDistill
from recbole_llmdistill.model.causal_model import CausalModel
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.esasrec import ESASRec
from recbole_llmdistill.model.sasrecdistill import SASRecDistill


def student(base: type[AbstractRecommender], *, causal: bool = False, **attributes: Any) -> type[DistillationModel]:
    """The class ``<Model>Distill`` of a model.

    Args:
        base: RecBole's class, or one's own.
        causal: whether it is what :class:`CausalModel` asks for.
        attributes: of :class:`DistillationModel`, such as ``states_from``.
    """
    mixin = CausalModel if causal else DistillationModel
    name = distilled_name(base.__name__)
    text = f"{base.__name__} with distillation from user profiles; outside training it computes what that computes."
    return type(name, (mixin, base), {"__module__": __name__, "__doc__": text, **attributes})


class _Prefixes:
    """What FEARec looks up in its training rows beside their columns: the sequence of a row."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @property
    def inter_feat(self) -> "_Prefixes":
        return self

    def __getitem__(self, field: str) -> Any:
        rows = self._dataset.inter_feat
        return rows[field] if field in rows else _Column(self._dataset, field)


class _Column:
    def __init__(self, dataset: Dataset, field: str) -> None:
        self._dataset, self._field = dataset, field

    def __getitem__(self, row: int) -> torch.Tensor:
        return self._dataset[torch.tensor([row])][self._field][0]


class FEARecDistill(DistillationModel, sequential.FEARec):
    """FEARec with distillation from user profiles; outside training it computes what that computes."""

    states_from = "item_encoder"
    layers_setting = "n_layers"

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.dataset = _Prefixes(dataset)


STUDENTS: dict[str, type[DistillationModel]] = {
    model.__name__: model
    for model in (
        SASRecDistill,
        BERT4RecDistill,
        student(ESASRec, causal=True, states_from="encoder", layers_setting="n_layers"),
        student(sequential.GRU4Rec, causal=True, states_from="gru_layers"),
        student(sequential.NARM, states_from="gru"),
        student(sequential.STAMP),
        student(sequential.NextItNet, states_from="residual_blocks"),
        student(sequential.Caser),
        student(sequential.SRGNN),
        student(sequential.GCSAN, states_from="self_attention", layers_setting="n_layers"),
        student(sequential.CORE),
        student(sequential.LightSANs, states_from="trm_encoder", layers_setting="n_layers"),
        FEARecDistill,
        student(sequential.SASRecF, causal=True, states_from="trm_encoder", layers_setting="n_layers"),
        student(sequential.FDSA, causal=True, states_from="item_trm_encoder", layers_setting="n_layers"),
        student(sequential.GRU4RecF, causal=True, states_from="item_gru_layers"),
        student(sequential.HGN),
        student(sequential.TransRec),
        student(sequential.FOSSIL),
        student(sequential.HRM),
        student(sequential.NPE),
        student(sequential.SHAN),
        student(sequential.SINE),
        student(sequential.RepeatNet, states_from="gru", user_vector=None, item_table="item_matrix"),
        student(general.BPR),
        student(general.LightGCN),
        student(general.NGCF),
        student(general.DGCF),
        student(general.SpectralCF),
        student(general.SGL),
        student(general.MultiVAE, user_vector=1, item_table=None),
    )
}
"""Name -> class, of the models that come with the package."""

globals().update(STUDENTS)  # so that RecBole, and pickle, find a class by its name in this module

_SCORES = "scores users with items in its forward(), and has no vector of a user to distil into"
_OWN_TRAINER = "is trained by a trainer of its own"
_WHY_NOT = {
    **dict.fromkeys(("FPMC", "NeuMF", "ConvNCF", "NNCF", "DMF", "FISM", "NAIS", "GCMC", "LINE", "SimpleX"), _SCORES),
    **dict.fromkeys(("DIN", "DIEN"), "scores a candidate against each item of the history, and has no user vector"),
    **dict.fromkeys(("S3Rec", "NCL", "RaCT", "RecVAE"), _OWN_TRAINER),
    **dict.fromkeys(("GRU4RecCPR", "SASRecCPR"), "cannot run in RecBole: its predict() ends in an assertion"),
    **dict.fromkeys(("KSR", "GRU4RecKG"), "needs vectors of a knowledge graph"),
    **dict.fromkeys(("NCEPLRec",), "is not trained by gradients"),
    **dict.fromkeys(("LightGBM", "XGBoost"), "is a decision tree"),
    **dict.fromkeys(("CDAE", "MultiDAE", "MacridVAE", "DiffRec", "LDiffRec"), "gives scores alone, and no user vector"),
}


def why_not(name: str) -> str:
    """Why there is no ``<Model>Distill`` of a model of RecBole, to be read after its name."""
    if name in _WHY_NOT:
        return _WHY_NOT[name]
    if name in vars(general) and issubclass(vars(general)[name], GeneralRecommender):
        return "is not trained by gradients" if vars(general)[name].type != ModelType.GENERAL else _SCORES
    if name in model_names("knowledge_aware_recommender"):
        return "learns from a knowledge graph as well, by a trainer of its own"
    if name in model_names("context_aware_recommender"):
        return "scores rows of features, and has no user vector"
    return _OWN_TRAINER
