"""Train and test one arm with one seed: ``python -m recbole_llmdistill.comparison.run.worker``.

A process per run keeps its memory peak its own, and a crash its own as well. It reads ``job.json`` in the folder that
it is given and leaves ``result.json`` and ``cases.npz`` there.
"""

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.utils.logger import RemoveColorFilter

from recbole_llmdistill.comparison.held_out import HeldOut
from recbole_llmdistill.comparison.measures import BATCH_SIZES, LIST_LENGTH, NLL
from recbole_llmdistill.comparison.run import costs
from recbole_llmdistill.comparison.run.beyond_accuracy import beyond_accuracy
from recbole_llmdistill.comparison.run.recording import RecordingCollector, values_of_cases
from recbole_llmdistill.files.atomic_write import write_text_atomically
from recbole_llmdistill.processes.children import end_with
from recbole_llmdistill.training.preparation import seeded_loaders, seeded_model, trainer_of

JOB, RESULT, CASES = "job.json", "result.json", "cases.npz"


def main() -> int:
    """Run the job of the folder that is the only argument; a failure becomes the result."""
    folder = Path(sys.argv[1]).resolve()
    sys.argv[1:] = []  # RecBole reads the command line of any process
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    end_with(job["parent"])
    handler = logging.StreamHandler()
    handler.addFilter(RemoveColorFilter())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=[handler])
    try:
        result = train_and_test(job, folder)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split())
        name = type(error).__name__
        result = {"status": "failed", "reason": text if name == "InputError" else f"{name}: {text}"[:400]}
    write_text_atomically(folder / RESULT, json.dumps(result))
    return 0


def train_and_test(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train by RecBole's own steps, test the epoch that is best on validation, and measure.

    Args:
        job: ``model``, ``dataset``, ``config_files``, ``settings``, the file ``held_out``, and ``parent``, the process
            that waits for the result.
        folder: for what RecBole writes, and for the values of the single cases.

    Returns:
        Metrics and measurements, as JSON.
    """
    started = time.perf_counter()
    config = Config(
        job["model"], job["dataset"], config_file_list=job["config_files"], config_dict=dict(job["settings"])
    )
    train_data, valid_data, test_data = seeded_loaders(config)
    model = seeded_model(config, train_data)
    _write_into(folder, config)
    trainer = trainer_of(config, model)
    epoch_seconds = _time_epochs(trainer)
    valid_scores: list[float] = []

    def after_validation(epoch: int, score: float) -> None:
        valid_scores.append(score)

    fit_started = time.perf_counter()
    best_score, best_valid = trainer.fit(train_data, valid_data, show_progress=False, callback_fn=after_validation)
    fit_seconds = time.perf_counter() - fit_started
    collector = RecordingCollector(config, trainer.eval_collector, LIST_LENGTH)
    trainer.eval_collector = collector
    test = trainer.evaluate(test_data, load_best_model=True, show_progress=False)
    peak = costs.peak_memory()

    held_out = HeldOut.read(Path(job["held_out"]))
    means, lists = _save_cases(folder / CASES, trainer, collector, train_data._dataset, held_out, config)
    validations = len(valid_scores) - valid_scores[::-1].index(best_score) if best_score in valid_scores else 0
    return {
        "status": "done",
        "test": {**_floats(test), **means},
        "valid": _floats(best_valid or {}),
        "valid_scores": [round(float(score), 6) for score in valid_scores],
        "epochs": len(epoch_seconds),
        "best_epoch": validations * config["eval_step"] - 1,
        "seconds": round(time.perf_counter() - started, 3),
        "fit_seconds": round(fit_seconds, 3),
        "epoch_seconds": round(float(np.median(epoch_seconds)), 4) if epoch_seconds else None,
        "peak_memory_mib": round(peak, 1),
        "peak_gpu_memory_mib": costs.peak_gpu_memory(),
        "parameters": costs.count_parameters(trainer.model),
        "latency_ms": {str(n): round(costs.inference_latency(trainer, test_data, n), 3) for n in BATCH_SIZES},
        "beyond_accuracy": lists,
        "device": str(config["device"]),
        "threads": torch.get_num_threads(),
    }


def _save_cases(
    file: Path, trainer: Any, collector: RecordingCollector, dataset: Any, held_out: HeldOut, config: Config
) -> tuple[dict[str, float], dict[str, Any]]:
    """Write each metric of each test case, in the order of ``held_out``.

    Returns:
        Their means, and what the lists are like.
    """
    users, items, likelihood, lists = collector.recorded()
    tokens = dataset.field2id_token[dataset.iid_field].astype(str)
    user_tokens = dataset.id2token(dataset.uid_field, users).astype(str)
    order = held_out.order_of(user_tokens, tokens[items], len(lists))
    values = values_of_cases(trainer.evaluator, collector.struct)
    if scores_are_logits(config):
        values[NLL] = likelihood.astype(np.float32)
    np.savez_compressed(file, **{name: of_rows[order] for name, of_rows in values.items()})
    means = {name: float(of_rows.mean(dtype=np.float64)) for name, of_rows in values.items()}
    return means, beyond_accuracy(np.searchsorted(held_out.item_tokens, tokens[lists]), held_out.item_counts)


def scores_are_logits(config: Config) -> bool:
    """Whether a model is trained by cross-entropy over the items, so that a softmax of its scores means something."""
    return config["loss_type"] == "CE" and config["sequence_loss"] != "gbce"


def _write_into(folder: Path, config: Config) -> None:
    """Have RecBole write checkpoints and its TensorBoard log into ``folder``; what is read stays where it is."""
    for key in ("data_path", "vectors_path"):
        if config[key]:
            config[key] = os.path.abspath(config[key])
    config["checkpoint_dir"] = str(folder)
    os.chdir(folder)


def _time_epochs(trainer: Any) -> list[float]:
    """Seconds of each training epoch, without its validation; grows as the trainer trains."""
    seconds: list[float] = []
    train_epoch = trainer._train_epoch

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        losses = train_epoch(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return losses

    trainer._train_epoch = timed
    return seconds


def _floats(result: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in result.items()}


if __name__ == "__main__":
    sys.exit(main())
