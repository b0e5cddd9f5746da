"""The summary without an LLM: right shares, the same every time, called by its name."""

import json

from recbole_llmdistill.formats.profile_texts import read_profile_texts


def test_summary_of_a_user(shop, generate) -> None:
    """User 0 is shown items 0-5: three toys, three tools; values 0 to 50, of late 40 and 50."""
    assert generate("--llm", "none:summary", "--out", "out") == 0
    records = {}
    for line in (shop / "out" / "profiles.jsonl").read_text().splitlines():
        record = json.loads(line)
        records[record["user_id"]] = record
    assert len(records) == 12
    text = records["u0"]["profile"]
    assert text.startswith("Statistical summary of 6 interactions, without a language model.")
    assert "kind: tool 50%, toy 50%." in text
    assert "event: buy 50%, view 50%." in text
    assert "share watched: mean 25.0, spread 17.1" in text
    assert records["u0"]["model"] == "none:summary"
    manifest = json.loads((shop / "out" / "manifest.json").read_text())
    assert manifest["llm"] == "none:summary"
    assert read_profile_texts(shop / "out" / "profiles.jsonl")
    assert generate("--llm", "none:summary", "--out", "again") == 0

    def without_time(folder: str) -> list[dict]:
        lines = (shop / folder / "profiles.jsonl").read_text().splitlines()
        return [{**json.loads(line), "created": ""} for line in lines]

    assert without_time("again") == without_time("out")


def test_movielens_genres(tmp_path, command) -> None:
    """Shares of the genres of a user's training films, counted from RecBole's files."""
    from collections import Counter

    from recbole.config import Config

    from recbole_llmdistill.profiles.history.histories import load_histories

    assert command("generate", "-d", "ml-100k", "--llm", "none:summary", "--limit=1", "--out", "out") == 0
    record = json.loads((tmp_path / "out" / "profiles.jsonl").read_text())
    histories = load_histories(Config("SASRecDistill", "ml-100k"))
    texts = [histories.catalogue.texts[item] for item in histories[0].items]
    genres = Counter(word for text in texts for word in text.split(" | ")[2].split())
    top, count = genres.most_common(1)[0]
    assert f"genres: {top} {count / genres.total():.0%}" in record["profile"]
