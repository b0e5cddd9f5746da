"""The notebooks run from beginning to end, as a reader would run them."""

import math
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ITEMS = {"ml_100k": 1682, "own_data_own_llm": 160}
NOTEBOOKS = sorted(Path(__file__).parents[2].joinpath("examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_not_kept(path: Path) -> None:
    code = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_trains_better_than_chance(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    (table,) = (text for output in outputs if "ndcg@10" in (text := output.data["text/plain"]))
    header, *rows = table.splitlines()
    assert header.split() == ["SASRec", "SASRecDistill"]
    ndcg = next(row.split()[1:] for row in rows if row.startswith("ndcg@10"))
    of_random_order = sum(1 / math.log2(rank + 1) for rank in range(1, 11)) / ITEMS[path.stem]
    assert all(float(value) > 3 * of_random_order for value in ndcg)
