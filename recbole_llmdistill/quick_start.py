"""RecBole's functions under this package's name, so that other processes find the models too.

``pickle`` sends a function to a spawned process or a Ray worker as its module and name, and the process imports that
module. :func:`~recbole_llmdistill.registry.register` sets the module of these functions to this one; so whoever gets
one of them imports this package, which registers the models there, without a line in the user's program.
"""

from recbole.data.utils import create_dataset, data_preparation
from recbole.quick_start.quick_start import load_data_and_model, objective_function, run, run_recbole, run_recboles
from recbole.utils.case_study import full_sort_scores, full_sort_topk
from recbole.utils.utils import get_model, get_trainer

__all__ = [
    "create_dataset",
    "data_preparation",
    "full_sort_scores",
    "full_sort_topk",
    "get_model",
    "get_trainer",
    "load_data_and_model",
    "objective_function",
    "run",
    "run_recbole",
    "run_recboles",
]
