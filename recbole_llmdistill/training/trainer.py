"""Training in two stages: distillation, then the recommendation loss alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.data.dataloader import TrainDataLoader
from recbole.trainer import Trainer

from recbole_llmdistill.compat.checkpoint_names import claim_again
from recbole_llmdistill.compat.checkpoints import first_line, read_checkpoint, write_checkpoint
from recbole_llmdistill.compat.parallel_training import data_parallel
from recbole_llmdistill.compat.token_tables import KEY
from recbole_llmdistill.data.item_vectors import load_item_vectors, training_matrix
from recbole_llmdistill.data.user_vectors import load_user_vectors
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.model.cpu import use_fused_steps
from recbole_llmdistill.model.distillation_model import DistillationModel
from recbole_llmdistill.model.training_report import CollapseWatch
from recbole_llmdistill.training.evaluation import BestItemsCollector, best_items
from recbole_llmdistill.training.memory import keep_freed_memory
from recbole_llmdistill.training.resume import check_same_data, check_same_run, random_states, restore_random_states
from recbole_llmdistill.training.warm_start import warm_start

_PART = "part"  # of an optimizer's group: which part of training, that is no part of a checkpoint, it belongs to


class DistillationTrainer(Trainer):
    """RecBole's trainer with a stage switch, a log of both losses, and exact resumption.

    While stage one lasts (``epoch < distill_epochs``) early stopping cannot end the run, and its patience starts again
    at the switch. After every validation the whole state is written to ``<checkpoint>.resume``; a run that was killed
    goes on from there with ``distill_resume`` and ends as it would have ended. A run that ends removes that file.

    Args:
        config: RecBole config.
        model: a model with the distillation mixin.
    """

    stopping_step: float

    def __init__(self, config: Config, model: DistillationModel) -> None:
        super().__init__(config, model)
        self.settings = model.settings
        self.distillation_epochs = self.settings.distillation_epochs(self.epochs)
        self.patience = self.stopping_step
        self.stale_at_switch = 0  # validations without a gain that stage one leaves behind
        self.collapse_watch = CollapseWatch()
        self.epoch_means: dict[str, float] = {}
        self.eval_collector = BestItemsCollector(config)
        if self.settings.distill_warm_start:
            warm_start(model, config, self.settings.distill_warm_start)

    @property
    def resume_file(self) -> Path:
        """Where the state of the unfinished run lies."""
        return Path(self.saved_model_file).with_suffix(".resume")

    def fit(
        self,
        train_data: TrainDataLoader,
        valid_data: Any = None,
        verbose: bool = True,
        saved: bool = True,
        show_progress: bool = False,
        callback_fn: Callable[[int, float], None] | None = None,
    ) -> tuple[float, dict[str, float] | None]:
        """As RecBole's ``Trainer.fit``.

        Raises:
            InputError: the profiles are missing or unfit, or ``distill_resume`` is not a state of this run.
        """
        self._train_data, self._saved, self._validates = train_data, saved, bool(valid_data) and self.eval_step > 0
        self._interactions: str = train_data._dataset.digest() if saved or self.settings.distill_resume else ""
        state = self._read_resume_state()
        if self.settings.learns_item_texts:
            self._begin_item_knowledge(train_data, state)
        if state["head"] is not None if state else self.distillation_epochs > 0:
            self._begin_distillation(train_data)
        if state:
            self._restore(state)
        elif saved:
            self.logger.info(f"If this run is interrupted, continue it with --distill_resume={self.resume_file}")

        def after_validation(epoch: int, valid_score: float) -> None:
            self._write_resume_state(epoch)
            if callback_fn:
                callback_fn(epoch, valid_score)

        with keep_freed_memory():
            result = super().fit(train_data, valid_data, verbose, saved, show_progress, after_validation)
        if self.model.distilling:
            self._end_distillation()
        self._end_item_knowledge()
        self.model.end_smoothing()
        if saved and self.config["local_rank"] == 0:
            self.resume_file.unlink(missing_ok=True)
        return result

    def _build_optimizer(self, **kwargs: Any) -> torch.optim.Optimizer:
        optimizer = super()._build_optimizer(**kwargs)
        if self.model.settings.sequence_fast_layers:
            use_fused_steps(optimizer)
        return optimizer

    def _train_epoch(
        self,
        train_data: TrainDataLoader,
        epoch_idx: int,
        loss_func: Callable | None = None,
        show_progress: bool = False,
    ) -> Any:
        if self.model.distilling and epoch_idx >= self.distillation_epochs:
            self._end_distillation()
            self.stale_at_switch = self.cur_step
            self.logger.info(f"Stage two from epoch {epoch_idx} on: recommendation loss alone")
        if self.cur_step < self.stale_at_switch:  # there was a gain since the switch
            self.stale_at_switch = 0
        self.stopping_step = inf if self.model.distilling else self.patience + self.stale_at_switch
        train_data._dataset.cut_windows(epoch_idx)
        losses = super()._train_epoch(train_data, epoch_idx, loss_func, show_progress)
        self.epoch_means = self.model.report.take()
        if warning := self.collapse_watch.warning(self.epoch_means, self.settings.distill_beta_cap):
            self.logger.warning(warning)
        return losses

    def _full_sort_batch_eval(self, batched_data: tuple) -> tuple:
        collector = self.eval_collector  # somebody who needs all scores may have put another in this place
        # Results of other models may depend on how far a sequence is padded, and general ones have items to mask.
        quick = self.model.whole_sequences and isinstance(collector, BestItemsCollector)
        if not (quick and collector.needs_best_items_alone):
            return super()._full_sort_batch_eval(batched_data)
        interaction, seen, positive_u, positive_i = batched_data
        k, suffix = max(self.config["topk"]), self.config["LIST_SUFFIX"]
        ranked = best_items(self.model, interaction, k, suffix, self.device, seen)
        return interaction, ranked, positive_u, positive_i

    def _begin_distillation(self, train_data: TrainDataLoader) -> None:
        self.logger.info(f"Stage one until epoch {self.distillation_epochs - 1}: distillation from user profiles")
        profiles = load_user_vectors(train_data._dataset, self.settings)
        parameters = self.model.begin_distillation(profiles, train_data._dataset[:2])
        self.optimizer.add_param_group({"params": parameters, _PART: "head"})
        self._share_gradients()

    def _begin_item_knowledge(self, train_data: TrainDataLoader, state: dict | None) -> None:
        vectors = load_item_vectors(train_data._dataset, self.settings)
        if self.settings.item_target_smoothing > 0:
            self.model.smooth_targets(vectors)
        if self.settings.item_knowledge == "none":
            return
        if self.settings.item_knowledge == "init" and (state or self.settings.distill_warm_start):
            return  # items have learnt more than that
        seen = torch.from_numpy(training_matrix(train_data._dataset).getnnz(axis=0) > 0)
        if self.settings.distill_warm_start:  # which gave the others rows, too
            seen.fill_(True)
        parameters = self.model.begin_item_knowledge(vectors, seen)
        if not parameters:
            return
        self.optimizer.add_param_group({"params": parameters, _PART: "item knowledge"})
        self._share_gradients()

    def _end_item_knowledge(self) -> None:
        if self._take_from_optimizer("item knowledge"):
            self.model.end_item_knowledge()
            self._share_gradients()

    def _share_gradients(self) -> None:
        """Renew, in parallel training, RecBole's wrapper, which knows the parameters of when it was made."""
        if not self.config["single_spec"]:
            self.distributed_model = data_parallel(  # every process has the same profiles: nothing to broadcast
                self.model, device_ids=[self.config["local_rank"]], sync_buffers=False
            )

    def _end_distillation(self) -> None:
        self._take_from_optimizer("head")
        self.model.end_distillation()
        self._share_gradients()

    def _take_from_optimizer(self, part: str) -> tuple[dict, dict] | None:
        """Take a group of parameters that are no part of a checkpoint, and their states, out of the optimizer."""
        for number, group in enumerate(self.optimizer.param_groups):
            if group.get(_PART) == part:
                self.optimizer.param_groups.pop(number)
                state = self.optimizer.state
                return group, {weight: state.pop(weight) for weight in group["params"] if weight in state}
        return None

    @contextmanager
    def _recommender_alone(self) -> Iterator[None]:
        """The optimizer without what is no part of a checkpoint."""
        parts = [group[_PART] for group in self.optimizer.param_groups if _PART in group]
        taken = [self._take_from_optimizer(part) for part in parts]
        try:
            yield
        finally:
            for group, state in filter(None, taken):
                self.optimizer.param_groups.append(group)
                self.optimizer.state.update(state)

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        with self._recommender_alone():
            super()._save_checkpoint(epoch, verbose=verbose, **kwargs)
        if not self._validates:
            self._write_resume_state(epoch)

    def _generate_train_loss_output(self, epoch_idx: int, s_time: float, e_time: float, losses: Any) -> str:
        means = "".join(f", {name.replace('_', ' ')}: {mean:.4f}" for name, mean in self.epoch_means.items())
        return super()._generate_train_loss_output(epoch_idx, s_time, e_time, losses)[:-1] + means + "]"

    def _add_train_loss_to_tensorboard(self, epoch_idx: int, losses: Any, tag: str = "Loss/Train") -> None:
        super()._add_train_loss_to_tensorboard(epoch_idx, losses, tag)
        for name, mean in self.epoch_means.items():
            self.tensorboard.add_scalar(f"Distillation/{name}", mean, epoch_idx)

    def _write_resume_state(self, epoch: int) -> None:
        if not self._saved:
            return
        states = random_states(self._train_data)
        if self.config["local_rank"] != 0:
            return
        head, tokens = self.model.distillation_head, self.model.token_tables  # the head is None in stage two
        write_checkpoint(
            {
                "config": self.config,
                "epoch": epoch,
                "state_dict": self.model.state_dict(),
                "head": head.state_dict() if head is not None else None,
                "item_knowledge": self.model.item_knowledge_parts(),
                "counters": {name: value for name, value in vars(self.model).items() if type(value) in (int, float)},
                "optimizer": self.optimizer.state_dict(),
                "cur_step": self.cur_step,
                "stale_at_switch": self.stale_at_switch,
                "best_valid_score": self.best_valid_score,
                "best_valid_result": dict(self.best_valid_result) if self.best_valid_result else None,
                "train_loss_dict": self.train_loss_dict,
                "first_target_spread": self.collapse_watch.first_spread,
                "random_states": states,
                "interactions": self._interactions,
                KEY: tokens.to_plain([tokens.user_field, tokens.item_field]),
            },
            self.resume_file,
        )

    def _read_resume_state(self) -> dict | None:
        file = self.settings.distill_resume
        if not file:
            return None
        state = read_checkpoint(file, map_location=self.device)
        check_same_run(state, self.config, file)
        check_same_data(state, self._interactions, self.model.token_tables, file)
        # Beside the state, whatever the file says: that is where this run wrote it, and where the user points to.
        self.saved_model_file = os.fspath(Path(file).with_suffix(".pth"))
        if self.config["local_rank"] == 0 and not claim_again(Path(self.saved_model_file), self):
            raise InputError(f"distill_resume: another process trains this run at this moment ({file}); wait for it")
        if state["best_valid_result"] and self._saved and not Path(self.saved_model_file).is_file():
            raise InputError(
                f"distill_resume: {self.saved_model_file}, the best weights of the run so far, is not beside {file}"
            )
        self.start_epoch = state["epoch"] + 1
        return state

    def _restore(self, state: dict) -> None:
        try:
            self._take_over(state)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"distill_resume: {self.settings.distill_resume} is not a state of this run ({first_line(error)})"
            ) from error

    def _take_over(self, state: dict) -> None:
        if state.get("item_knowledge"):  # of which the table is the sum
            self.model.load_with_parts(state["state_dict"], state["item_knowledge"])
        else:
            self.model.load_state_dict(state["state_dict"])
        for name, count in state.get("counters", {}).items():  # such as MultiVAE's, of its updates so far
            setattr(self.model, name, count)
        if state["head"] is not None:
            self.model.distillation_head.load_state_dict(state["head"])
        names = [group.get(_PART) for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, name in zip(self.optimizer.param_groups, names, strict=True):  # older states do not name them
            if name is not None:
                group[_PART] = name
        for name in ("cur_step", "stale_at_switch", "best_valid_score", "best_valid_result", "train_loss_dict"):
            setattr(self, name, state[name])
        self.collapse_watch.first_spread = state["first_target_spread"]
        restore_random_states(state["random_states"], self._train_data)
        self.logger.info(f"Resumed from {self.settings.distill_resume} after epoch {state['epoch']}")
