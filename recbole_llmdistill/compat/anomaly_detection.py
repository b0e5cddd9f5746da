"""Undo the anomaly detection that importing RecBole's models turns on for the whole process.

Answered line: ``recbole/model/sequential_recommender/sine.py`` 25 calls ``torch.autograd.set_detect_anomaly(True)``
when it is imported, and the package imports all its models. Every backward pass of every model is then checked for NaN
and keeps a Python traceback an operation, which costs a third of the training time.
"""

import importlib
import sys

import torch

_MODULE = "recbole.model.sequential_recommender.sine"


def install() -> None:
    """Leave anomaly detection as it was before RecBole's models were imported."""
    wanted = _MODULE not in sys.modules and torch.is_anomaly_enabled()
    importlib.import_module(_MODULE)
    torch.autograd.set_detect_anomaly(wanted)
