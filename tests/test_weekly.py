"""The weekly job by the script that users are shown, on a real split in time: what came last is new."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import recbole
import torch

from recbole_llmdistill.compat.token_tables import TokenTables

SCRIPT = Path(__file__).resolve().parents[1] / "run_scripts" / "weekly.sh"
ML_100K = Path(recbole.__file__).parent / "dataset_example" / "ml-100k"
SETTINGS = ["--epochs=1", "--distill_epochs=1", "--hidden_size=16", "--inner_size=16", "--show_progress=False"]


def rows_by_token(file: Path) -> dict[str, torch.Tensor]:
    state = torch.load(file, weights_only=True)
    tokens = TokenTables.from_checkpoint(state, str(file)).tokens("item_id")
    return dict(zip(tokens, state["state_dict"]["item_embedding.weight"], strict=True))


@pytest.mark.slow
def test_last_weeks_model_goes_on_with_what_is_new(tmp_path) -> None:
    header, *rows = (ML_100K / "ml-100k.inter").read_text().splitlines()
    rows.sort(key=lambda row: float(row.split("\t")[3]))
    first = rows[: len(rows) * 9 // 10]
    data = tmp_path / "dataset" / "films"
    data.mkdir(parents=True)
    (data / "films.item").write_bytes((ML_100K / "ml-100k.item").read_bytes())

    def week(interactions: list[str]) -> subprocess.CompletedProcess:
        (data / "films.inter").write_text("\n".join([header, *interactions]) + "\n")
        done = subprocess.run(
            ["bash", SCRIPT, "films", "none:summary", "weekly", *SETTINGS],
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=1800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    def history_lengths(interactions: list[str]) -> Counter[str]:
        return Counter(row.split("\t")[0] for row in interactions)

    week(first)
    folder = tmp_path / "weekly"
    profiles = folder / "profiles" / "profiles.jsonl"
    before = {record["user_id"]: record for record in map(json.loads, profiles.read_text().splitlines())}
    old_rows = rows_by_token(folder / "model.pth")
    then, now = history_lengths(first), history_lengths(rows)
    done = week(rows)

    # Training has all interactions of a user but two, and at least one; a user of one has no history.
    lengths = [{user: max(1, n - 2) if n > 1 else 0 for user, n in counts.items()} for counts in (then, now)]
    grown = {user for user in lengths[1] if 0 < 1.1 * lengths[0].get(user, 0) < lengths[1][user]}
    new = {user for user in lengths[1] if not lengths[0].get(user) and lengths[1][user]}
    after = {record["user_id"]: record for record in map(json.loads, profiles.read_text().splitlines())}
    assert {user for user in after if after[user] != before.get(user)} == grown | new
    assert len(grown) > 3
    assert len(new) > 50
    assert set(after) == {user for user in lengths[1] if lengths[1][user]}
    assert json.loads((folder / "vectors" / "manifest.json").read_text())["refresh"]["changed_by"] == 0.1

    items_then, items_now = ({row.split("\t")[1] for row in part} for part in (first, rows))
    told = re.search(r"([\d,]+) of its ([\d,]+) items keep their rows, (\d+) are gone, (\d+) are new", done.stderr)
    kept, known, gone, added = (int(number.replace(",", "")) for number in told.groups())
    assert (kept, known, gone, added) == (len(items_then), len(items_then), 0, len(items_now - items_then))
    rows_now = rows_by_token(folder / "model.pth")
    assert set(rows_now) == items_now | {"[PAD]"}
    near = [torch.cosine_similarity(old_rows[item], rows_now[item], dim=0) for item in sorted(items_then)]
    assert torch.stack(near).median() > 0.9  # after one epoch more

    recommended = pq.read_table(folder / "recommendations.parquet").to_pydict()
    assert set(recommended["user_id"]) == set(now)
    seen = {(user, item) for user, item, *_ in (row.split("\t") for row in rows)}
    assert not seen & set(zip(recommended["user_id"], recommended["item_id"], strict=True))
