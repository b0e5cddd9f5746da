"""The record of a search: what a killed one leaves, what a finished one writes."""

import csv
import io

import pytest

from recbole_llmdistill.errors import InputError
from recbole_llmdistill.tuning.folder import SearchFolder
from recbole_llmdistill.tuning.plots import search_page
from recbole_llmdistill.tuning.progress import outcome_of
from recbole_llmdistill.tuning.records import SearchJournal, Trial, values_key
from recbole_llmdistill.tuning.results import best_trial, recbole_text, trials_csv
from recbole_llmdistill.tuning.space import Choice, LogUniform, QuantizedUniform, Space


def evaluation(epoch: int, score: float, best: float, best_epoch: int) -> dict:
    metrics = {"ndcg@10": best, "recall@10": 2 * best}
    return {
        "epoch": epoch,
        "score": score,
        "best_score": best,
        "best_epoch": best_epoch,
        "metrics": metrics,
        "seconds": float(epoch),
    }


def trial(number: int, scores: list[float], status: str = "finished", reason: str = "", **values) -> Trial:
    evaluations = [
        evaluation(epoch, score, max(scores[:epoch]), scores.index(max(scores[:epoch])) + 1)
        for epoch, score in enumerate(scores, start=1)
    ]
    return Trial(number, values or {"learning_rate": 0.001 * number, "n_layers": number}, evaluations, status, reason)


TRIALS = [
    trial(1, [0.1, 0.3, 0.2]),
    trial(2, [0.05], "stopped"),
    trial(3, [0.1, 0.9], "failed", "ValueError: Training loss is nan, or so"),
    trial(4, [0.3, 0.1]),
    trial(5, [], "failed", "ValueError: no"),
]


def write(journal: SearchJournal, one: Trial) -> None:
    journal.started(one)
    for each in one.evaluations:
        journal.evaluated(one, each)
    if one.status != "running":
        journal.ended(one)


def test_a_journal_gives_back_what_was_written(tmp_path) -> None:
    journal = SearchJournal(tmp_path / "journal.jsonl")
    for one in [*TRIALS, trial(6, [0.2], "running")]:
        write(journal, one)
    histories = SearchJournal(tmp_path / "journal.jsonl").read()
    for one in TRIALS:
        assert histories[values_key(one.values)].evaluations == one.evaluations
        assert histories[values_key(one.values)].ended == (one.status == "finished")
    assert not histories[values_key(trial(6, []).values)].ended


def test_a_line_cut_short_by_a_kill_is_dropped_and_the_next_one_is_whole(tmp_path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = SearchJournal(file)
    write(journal, TRIALS[0])
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"trial": 2, "val')
    again = SearchJournal(file)
    assert list(again.read()) == [values_key(TRIALS[0].values)]
    write(again, TRIALS[1])
    assert file.read_bytes().startswith(whole + b'{"trial": 2, "values"')
    assert len(again.read()) == 2


def test_a_trial_that_was_trained_again_is_recorded_once(tmp_path) -> None:
    journal = SearchJournal(tmp_path / "journal.jsonl")
    write(journal, trial(1, [0.1, 0.2], "running"))
    again = trial(1, [0.1, 0.2, 0.3])
    journal.started(again)
    for each in again.evaluations:
        journal.evaluated(again, each)
    journal.ended(again)
    (history,) = journal.read().values()
    assert [each["epoch"] for each in history.evaluations] == [1, 2, 3]
    assert history.ended


def test_a_file_that_is_no_journal(tmp_path) -> None:
    for line, message in [('{"a": 1}', "no record with 'trial'"), ('{"trial": 2}', "no record of a search")]:
        (tmp_path / "journal.jsonl").write_text(f'{{"trial": 1, "values": {{}}}}\n{line}\n')
        with pytest.raises(InputError, match=f"journal.jsonl, line 2: {message}"):
            SearchJournal(tmp_path / "journal.jsonl").read()


def test_the_best_trial_is_the_earliest_of_the_best_that_did_not_fail() -> None:
    assert best_trial(TRIALS, bigger=True).number == 1
    assert best_trial([TRIALS[4], TRIALS[2]], bigger=True) is None
    assert best_trial([trial(1, [0.9], "lost"), TRIALS[1]], bigger=True).number == 2
    losses = [trial(1, [3.0]), trial(2, [1.0]), trial(3, [2.0])]
    assert best_trial(losses, bigger=False).number == 2


def test_a_csv_line_for_each_trial_that_ended() -> None:
    rows = list(csv.DictReader(io.StringIO(trials_csv([*TRIALS, trial(6, [0.2], "running")], "NDCG@10"))))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["status"] for row in rows] == ["finished", "stopped", "failed", "finished", "failed"]
    assert rows[0] == {
        "trial": "1", "status": "finished", "epochs": "3", "best_epoch": "2", "valid NDCG@10": "0.3", "seconds": "3.0",
        "learning_rate": "0.001", "n_layers": "1", "valid ndcg@10": "0.3", "valid recall@10": "0.6", "reason": "",
    }  # fmt: skip
    assert rows[2]["reason"] == "ValueError: Training loss is nan, or so"
    assert (rows[4]["epochs"], rows[4]["valid NDCG@10"]) == ("0", "")


def test_the_text_in_recboles_form_names_test_metrics_of_the_winner_alone() -> None:
    text = recbole_text(TRIALS, TRIALS[0], {"ndcg@10": 0.25})
    assert text.startswith("learning_rate:0.001, n_layers:1\nValid result:\nndcg@10 : 0.3    recall@10 : 0.6\nTest res")
    assert text.count("Test result:") == 1


def test_the_page_holds_all_that_it_needs() -> None:
    space = Space(
        distributions={
            "learning_rate": LogUniform(low=1e-4, high=1e-2),
            "n_layers": QuantizedUniform(low=1, high=5, step=1),
            "layers": Choice(values=[[64], None]),
        }
    )
    trials = [trial(n, [0.1 * n], learning_rate=0.001, n_layers=n, layers=[64] if n % 2 else None) for n in (1, 2)]
    page = search_page("A <model> on data", "NDCG@10", True, [*trials, TRIALS[4]], space)
    assert "A &lt;model&gt; on data" in page
    assert page.count("plotly.js v") >= 1  # the library itself, not a link to it
    assert "cdn.plot.ly" not in page.split("<body>")[0]
    for title in ("Trials over time", "Learning curves", "Parallel coordinates"):
        assert title in page


def test_a_folder_belongs_to_one_search(tmp_path) -> None:
    folder = SearchFolder(tmp_path / "out")
    search = {"dataset": "a", "space": {"x": {"choice": [1, 2]}}, "users": 3}
    folder.open(search, resume=False)
    folder.open(search, resume=True)
    with pytest.raises(InputError, match="holds this search already; --resume goes on with it"):
        folder.open(search, resume=False)
    for resume in (False, True):
        with pytest.raises(
            InputError, match=r'holds another search .dataset "a" there, "b" here; users 3 there, 4 here'
        ):
            folder.open({**search, "dataset": "b", "users": 4}, resume)
    folder.identity.write_text("{")
    with pytest.raises(InputError, match=r"search.json: cannot be read"):
        folder.open(search, resume=True)


def test_a_reason_is_one_line() -> None:
    ours = "Traceback\n  File x\nrecbole_llmdistill.tuning.trial.TrialFailed: ValueError: it is nan\n"
    assert outcome_of(ours) == ("failed", "ValueError: it is nan")
    other = "Failure # 1\nray.exceptions.RaySystemError: System error: no\n"
    assert outcome_of(other) == ("failed", "RaySystemError: System error: no")
    assert outcome_of("") == ("failed", "unknown")


# The beginnings of what Ray 2.60 wrote of a worker that was killed, one that it killed itself, and a dead machine.
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "The actor died unexpectedly before finishing this task.\n\tpid: 7\nThe actor is dead because its worker "
            "process has died. Worker exit type: SYSTEM_ERROR ... (1) the process was killed by the OOM killer",
            "its process was killed",
        ),
        (
            "1 worker(s) were killed due to the node running low on memory. Memory on the node was 6.28GB used\n",
            "Ray ended its process because memory ran short",
        ),
        (
            "The actor died unexpectedly before finishing this task.\nThe actor is dead because its owner has died. "
            "Worker exit detail: Owner's node has crashed.",
            "its machine is gone",
        ),
    ],
)
def test_a_trial_whose_process_ended_is_lost_and_has_not_failed(text: str, reason: str) -> None:
    assert outcome_of(f"Failure # 1 (occurred at 2026-01-01)\n{text}") == ("lost", reason)
