"""Each fix of RecBole and its stack is still needed: a test fails here when the line that it answers is gone."""

import functools
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from recbole.config import Config
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.model.context_aware_recommender import kd_dagfm
from recbole.model.general_recommender import LightGCN
from recbole.quick_start import quick_start
from recbole.trainer import Trainer
from scipy.sparse import dok_matrix

from recbole_llmdistill.compat import sparse_matrices
from recbole_llmdistill.compat.extend import exchange_code

RECBOLE = Path(importlib.util.find_spec("recbole").submodule_search_locations[0])
DATA_SET = RECBOLE / "data" / "dataset"


def run(program: str) -> str:
    """Output of a Python program in a process that has not imported this package."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_importing_recboles_models_turns_on_anomaly_detection() -> None:
    program = "import torch, recbole.model.sequential_recommender; print(torch.is_anomaly_enabled())"
    assert run(program) == "True"
    assert run(program.replace("import torch", "import recbole_llmdistill, torch")) == "False"


def test_recbole_pickles_with_the_protocol_that_weights_only_refuses() -> None:
    assert "pickle_protocol=4" in inspect.getsource(Trainer._save_checkpoint)
    assert '"config": self.config' in inspect.getsource(Trainer._save_checkpoint)
    source = (RECBOLE / "quick_start" / "quick_start.py").read_text()
    assert "torch.load(model_file)" in source
    assert quick_start.load_data_and_model.__code__.co_name == "_load_data_and_model"  # ours stands in its place


def test_scipy_lacks_the_method_that_graph_models_call() -> None:
    assert dok_matrix._update is sparse_matrices._update
    assert "._update(" in inspect.getsource(LightGCN)


def test_recbole_reads_defaults_from_its_own_folder_only() -> None:
    source = inspect.getsource(Config._load_internal_config_dict.__wrapped__)
    assert "os.path.realpath(__file__)" in source


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (DATA_SET / "dataset.py", "feat[field].fillna(value=0, inplace=True)"),  # column_values, warning_filters
        (DATA_SET / "dataset.py", "feat[field].fillna(value=feat[field].mean(), inplace=True)"),  # column_values
        (DATA_SET / "dataset.py", "split_point = np.cumsum(feat[field].agg(len))[:-1]"),  # column_values
        (DATA_SET / "dataset.py", "tokens.append(feat[field].agg(np.concatenate))"),  # column_values
        (DATA_SET / "dataset.py", "new_data[k] = torch.LongTensor(value)"),  # column_values
        (DATA_SET / "dataset.py", "del dis_info[field]"),  # column_values
        (DATA_SET / "kg_dataset.py", "split_point = np.cumsum(feat[field].agg(len))[:-1]"),  # column_values
        (DATA_SET / "sequential_dataset.py", "].agg(len)"),  # column_values
        (DATA_SET / "dataset.py", 'df[field].fillna(value="", inplace=True)'),  # atomic_tables
        (DATA_SET / "dataset.py", "dtype[field_type] = np.float64 if ftype == FeatureType.FLOAT else str"),  # likewise
        (DATA_SET / "dataset.py", 'feat.drop_duplicates(subset=[field], keep="first", inplace=True)'),  # likewise
        (DATA_SET / "dataset.py", "self.inter_feat.index[dropped_inter], inplace=True"),  # row_filters
        (DATA_SET / "dataset.py", "by=[self.time_field], ascending=True, inplace=True"),  # row_filters
        (DATA_SET / "dataset.py", "feat.drop(feat.index[~feat[field].isin(interval)], inplace=True)"),  # row_filters
        (DATA_SET / "dataset.py", "self.inter_feat.drop(dropped_index, inplace=True)"),  # row_filters
        (DATA_SET / "dataset.py", "feat.reset_index(drop=True, inplace=True)"),  # row_filters
        (DATA_SET / "dataset.py", "feat.drop(columns=field, inplace=True)"),  # row_filters
        (DATA_SET / "dataset.py", "self.inter_feat.drop(self.inter_feat.index[~remained_inter], inplace=True)"),
        (DATA_SET / "kg_dataset.py", "self.kg_feat.drop(dropped_index, inplace=True)"),  # row_filters
        (DATA_SET / "kg_dataset.py", "self.inter_feat.drop(self.inter_feat.index[~remained_inter], inplace=True)"),
        (RECBOLE / "trainer" / "trainer.py", "if self.eval_step <= 0 or not valid_data:"),  # empty_parts
        (RECBOLE / "trainer" / "trainer.py", "if not eval_data:"),  # empty_parts
        (RECBOLE / "data" / "utils.py", "train_sampler, valid_sampler, test_sampler = create_samplers("),  # likewise
        (DATA_SET / "dataset.py", "new_data[k] = torch.FloatTensor(value)"),  # sequence_order
        (RECBOLE / "config" / "configurator.py", "np.float = np.float_"),  # numpy_names
        (RECBOLE / "evaluator" / "metrics.py", "dtype=np.float)"),  # numpy_names
        (RECBOLE / "data" / "dataset" / "dataset.py", "fillna(value=0, inplace=True)"),  # warning_filters
        (RECBOLE / "quick_start" / "quick_start.py", "\nfrom ray import tune\n"),  # lazy_ray
        (RECBOLE / "quick_start" / "quick_start.py", "tune.report(**test_result)"),  # lazy_ray
        (RECBOLE / "evaluator" / "base_metric.py", "round(avg_result[k - 1], self.decimal_place)"),  # plain_metrics
        (RECBOLE / "config" / "configurator.py", "value = eval(param)"),  # literal_settings
        (RECBOLE / "config" / "configurator.py", 'backend="nccl"'),  # parallel_training
        (
            RECBOLE / "evaluator" / "collector.py",
            "_data_dict[key] = self.data_struct._data_dict[key].cpu()",
        ),  # data_metrics
        (RECBOLE / "utils" / "utils.py", "if not os.path.exists(dir_path):"),  # parallel_training
        (RECBOLE / "trainer" / "trainer.py", 'self.model, device_ids=[config["local_rank"]]'),  # parallel_training
        (RECBOLE / "trainer" / "trainer.py", 'self.config["model"], get_local_time())'),  # parallel_training
        (RECBOLE / "quick_start" / "quick_start.py", "dist.destroy_process_group()"),  # parallel_training
        (RECBOLE / "trainer" / "trainer.py", "num_sample += len(batched_data)"),  # parallel_evaluation
        (RECBOLE / "data" / "dataloader" / "general_dataloader.py", "interaction, None, positive_u, positive_i"),
        (DATA_SET / "sequential_dataset.py", "if i - seq_start > max_item_list_len:"),  # seen_items, as the one above
        (DATA_SET / "customized_dataset.py", "if i - seq_start > max_item_list_len:"),  # likewise
        (RECBOLE / "data" / "dataloader" / "abstract_dataloader.py", "shuffle=shuffle, drop_last=False"),  # likewise
    ],
)
def test_the_answered_line_is_there(file: Path, line: str) -> None:
    assert line in file.read_text()


def test_code_is_exchanged_only_where_the_function_is_the_known_one() -> None:
    def known(file):
        return file

    def with_a_default(file, *, strict=True):
        return strict

    def with_a_variable(file):
        return known

    def replacement(file):
        return "ours"

    original = exchange_code(known, replacement)
    assert (known(1), original(1)) == ("ours", 1)
    assert exchange_code(known, replacement) is original
    for other in (with_a_default, with_a_variable, functools.wraps(with_a_default)(lambda file: file)):
        with pytest.raises(ImportError, match="of this RecBole"):
            exchange_code(other, replacement)


def test_recbole_unpickles_data_by_name_and_takes_generators_away() -> None:
    source = (RECBOLE / "data" / "utils.py").read_text()
    assert source.count("pickle.load(f)") == 2
    assert "dataloader.generator = None" in source
    assert "os.path.exists(file)" in source
    assert "os.path.exists(dataloaders_save_path)" in source


def test_recbole_evaluates_a_setting_and_sets_any_attribute() -> None:
    assert "eval(f\"{config['teacher']}\")" in inspect.getsource(kd_dagfm)
    assert "setattr(self, key, value)" in inspect.getsource(
        inspect.unwrap(AbstractRecommender.load_other_parameter)
    )  # fmt: skip
