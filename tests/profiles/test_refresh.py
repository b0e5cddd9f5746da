"""``generate --changed-by``: what is written again, what stays, and that nothing held out was seen by what stays."""

import json
import re
from pathlib import Path

import pytest
from chat_server import ChatServer

from recbole_llmdistill import generate
from recbole_llmdistill.errors import InputError
from recbole_llmdistill.formats.profile_texts import read_profile_texts


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def add(shop: Path, *rows: tuple[str, int]) -> None:
    """Append interactions (user, number of items), of items that the user has not had, with the newest times."""
    file = shop / "dataset" / "shop" / "shop.inter"
    text = file.read_text()
    for user, items in rows:
        first = 3 * int(user[1:]) + 8 if user[1:].isdecimal() else 0
        text += "".join(f"{user}\ti{(first + n) % 20}\tbuy\t1\t{1_800_000_000 + n}\n" for n in range(items))
    file.write_text(text)


def run(server: ChatServer, **more):
    """What the command does, by its Python function."""
    given = {"dataset": "shop", "config_files": ["shop.yaml"], "out": "out", "show_progress": False}
    return generate(**given | {"llm": "openai:tiny", "base_url": server.url, **more})


def of_users(shop: Path) -> dict[str, dict]:
    return {record["user_id"]: record for record in lines(shop / "out" / "profiles.jsonl")}


# Each user has 8 interactions, of which training has the first 6.
@pytest.mark.parametrize(
    ("changed_by", "again"),
    [
        (0, {"u1", "u2", "u3"}),
        (1, {"u2", "u3"}),
        (3, {"u3"}),
        (0.2, {"u2", "u3"}),
        (0.5, {"u3"}),
        (4, set()),
        (0.7, set()),
    ],
)
def test_those_are_written_whose_history_grew_by_more(shop: Path, serve, changed_by: float, again: set[str]) -> None:
    server = serve()
    run(server)
    before = of_users(shop)
    add(shop, ("u1", 1), ("u2", 3), ("u3", 4), ("new", 5))
    asked = sum(server.asked.values())
    estimated = run(server, changed_by=changed_by, estimate=True)
    assert any(f"requests {len(again) + 1}" in note for note in estimated.messages.notes)
    assert sum(server.asked.values()) == asked
    assert of_users(shop) == before
    result = run(server, changed_by=changed_by)
    assert result.profiles == len(again) + 1 == sum(server.asked.values()) - asked
    now = of_users(shop)
    assert {user for user in now if now[user] != before.get(user)} == again | {"new"}
    lengths = {"u1": 7, "u2": 9, "u3": 10, "new": 3}
    for user in again | {"new"}:
        assert now[user]["interactions"] == lengths[user]
    assert len(read_profile_texts(shop / "out" / "profiles.jsonl").tokens) == 13
    outdated = shop / "out" / "outdated.jsonl"
    assert {line["user_id"] for line in lines(outdated)} == again if again else not outdated.exists()
    assert not (shop / "out" / "refreshed.jsonl").exists()
    behind = {user: lengths[user] - 6 for user in ("u1", "u2", "u3") if user not in again}
    manifest = json.loads((shop / "out" / "manifest.json").read_text())
    assert manifest["refresh"] == {
        "changed_by": changed_by,
        "profiles_behind": len(behind),
        "interactions_unseen": sum(behind.values()),
    }
    assert manifest["users"] == 13
    assert run(server, changed_by=changed_by).profiles == 0
    assert run(server).profiles == 0  # the folder is of today's training part
    assert json.loads((shop / "out" / "manifest.json").read_text())["refresh"] == manifest["refresh"]


def test_growth_without_the_option_is_refused_with_a_hint(shop: Path, serve) -> None:
    server = serve()
    run(server)
    add(shop, ("u1", 1))
    with pytest.raises(InputError, match=r"training_fingerprint.*if the data have grown.*--changed-by"):
        run(server)
    with pytest.raises(InputError, match=r"temperature: (?!.*--changed-by)"):
        run(server, temperature=0.9)
    with pytest.raises(InputError, match=r"temperature: "):
        run(server, temperature=0.9, changed_by=1)


def test_what_saw_an_interaction_that_is_held_out_now_does_not_stay(shop: Path, serve) -> None:
    server = serve()
    run(server)
    before = of_users(shop)
    file = shop / "dataset" / "shop" / "shop.inter"
    header, *rows = file.read_text().splitlines()
    mine = [row for row in rows if row.startswith("u5\t")]
    gone = [row for row in rows if row.startswith("u6\t")]
    swapped = [mine[0], mine[7].replace(mine[7].split("\t")[-1], mine[1].split("\t")[-1]), *mine[2:7]]
    swapped.append(mine[1].replace(mine[1].split("\t")[-1], mine[7].split("\t")[-1]))  # the second item is the last now
    file.write_text("\n".join([header, *(row for row in rows if row not in mine + gone), *swapped]) + "\n")
    result = run(server, changed_by=100)
    assert result.profiles == 1
    assert any(
        "1 profiles saw what their users' training histories do not begin with" in n for n in result.messages.notes
    )
    assert any("1 profiles are of users without a training history" in note for note in result.messages.notes)
    now = of_users(shop)
    assert {user for user in before if now.get(user) != before[user]} == {"u5", "u6"}
    assert "u6" not in now
    assert {line["user_id"] for line in lines(shop / "out" / "outdated.jsonl")} == {"u5", "u6"}


def test_where_a_new_text_fails_the_old_one_stays(shop: Path, serve) -> None:
    server = serve()
    run(server)
    before = of_users(shop)
    add(shop, ("u1", 4), ("u2", 4))
    failing = serve(fault=lambda prompt, attempt: "400" if "Number 3 | tool | view | 0.01" in prompt else None)
    result = run(failing, changed_by=1, retries=1)
    assert (result.profiles, result.failures) == (1, 1)
    now = of_users(shop)
    assert now["u1"] == before["u1"]
    assert now["u2"]["interactions"] == 10
    assert run(server, changed_by=1).profiles == 1
    assert of_users(shop)["u1"]["interactions"] == 10


def test_a_killed_refresh_leaves_the_folder_whole_and_is_gone_on_with(shop: Path, serve) -> None:
    server = serve()
    run(server)
    before = of_users(shop)
    add(shop, ("u1", 4), ("u2", 4))
    run(server, changed_by=1)
    after = of_users(shop)
    out = shop / "out"  # as it is when a kill comes after the first of the two, and before the end
    (out / "profiles.jsonl").write_text("".join(json.dumps(record) + "\n" for record in before.values()))
    (out / "refreshed.jsonl").write_text(json.dumps(after["u1"]) + "\n" + json.dumps(after["u2"])[:50])
    assert len(read_profile_texts(out / "profiles.jsonl").tokens) == 12
    asked = sum(server.asked.values())
    assert run(server, changed_by=1).profiles == 1 == sum(server.asked.values()) - asked
    now = of_users(shop)
    assert now["u1"] == after["u1"]
    assert {**now["u2"], "created": ""} == {**after["u2"], "created": ""}
    assert len(read_profile_texts(out / "profiles.jsonl").tokens) == 12


def test_profiles_of_an_older_version_stay_if_the_fingerprint_says_what_they_saw(shop: Path, serve) -> None:
    server = serve()
    run(server)
    file = shop / "out" / "profiles.jsonl"

    def without_digests() -> None:
        records = [{key: value for key, value in record.items() if key != "history"} for record in lines(file)]
        file.write_text("".join(json.dumps(record) + "\n" for record in records))

    without_digests()
    add(shop, ("u3", 4))
    result = run(server, changed_by=1)
    assert result.profiles == 1
    without_digests()  # and now the fingerprint is not of what they saw: u3's is, the others' too, but not of today
    manifest = shop / "out" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("sha256:", "sha256:0"))
    result = run(server, changed_by=1)
    assert result.profiles == 12
    assert any("12 profiles, of an older version, do not say" in note for note in result.messages.notes)


def test_another_data_set_is_refused_before_anything_is_moved(shop: Path, serve) -> None:
    server = serve()
    run(server)
    before = (shop / "out" / "profiles.jsonl").read_bytes()
    for file in (shop / "dataset" / "shop").iterdir():
        header, rows = file.read_text().split("\n", 1)
        file.write_text(header + "\n" + re.sub(r"\bi(?=\d)", "other", rows))
    with pytest.raises(InputError, match="no profile in it was written from what these training histories begin with"):
        run(server, changed_by=1)
    assert (shop / "out" / "profiles.jsonl").read_bytes() == before


def test_the_first_repeated_item_is_no_hindrance(shop: Path, serve) -> None:
    server = serve()
    run(server)
    file = shop / "dataset" / "shop" / "shop.inter"
    file.write_text(file.read_text() + "".join(f"u1\ti3\tbuy\t1\t{1_800_000_000 + n}\n" for n in range(3)))
    result = run(server, changed_by=1)
    assert result.profiles == 1
    assert "xN" in json.loads((shop / "out" / "manifest.json").read_text())["columns"]


def test_a_broken_line_ends_the_run_or_is_counted(shop: Path, serve) -> None:
    server = serve()
    run(server)
    file = shop / "out" / "profiles.jsonl"
    records = file.read_text().splitlines()
    broken = json.loads(records[4])["user_id"]
    records[4] = records[4][:40]
    file.write_text("\n".join(records) + "\n")
    with pytest.raises(InputError, match=r"profiles\.jsonl, line 5: no JSON"):
        run(server, changed_by=1)
    with pytest.raises(InputError, match="--on-error=skip means nothing without --changed-by"):
        run(server, on_error="skip")
    result = run(server, changed_by=1, on_error="skip")
    assert result.profiles == 1
    assert any("1 lines of profiles.jsonl cannot be read" in note for note in result.messages.notes)
    assert of_users(shop)[broken]["interactions"] == 6
    assert len(of_users(shop)) == 12
    assert lines(shop / "out" / "outdated.jsonl") == [{"user_id": "", "broken": records[4] + "\n"}]


def test_shards_are_refreshed_and_joined(shop: Path, serve, command) -> None:
    server = serve()
    for shard in ("1/2", "2/2"):
        run(server, shard=shard, out=f"out{shard[0]}")
    add(shop, *((f"u{user}", 2) for user in range(6)), ("u7", 9), ("u8", 9))
    for shard in ("1/2", "2/2"):
        run(server, shard=shard, out=f"out{shard[0]}", changed_by=4)
    assert command("merge", "out1", "out2", "--out", "out") == 0
    records = of_users(shop)
    assert {user: record["interactions"] for user, record in records.items() if record["interactions"] != 6} == {
        "u7": 15,
        "u8": 15,
    }
    assert json.loads((shop / "out" / "manifest.json").read_text())["refresh"] == {
        "changed_by": 4,
        "profiles_behind": 6,
        "interactions_unseen": 12,
    }


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"changed_by": 1.5}, "--changed-by=1.5: must be a share below 1, or a whole number of interactions"),
        ({"changed_by": -1}, "--changed-by=-1"),
        ({"changed_by": 1, "out": None, "estimate": True}, "--changed-by needs --out"),
        ({"changed_by": 1, "of": "items"}, "--changed-by means nothing to --of=items"),
    ],
)
def test_bad_input_is_one_line(shop: Path, serve, more: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(serve(), **more)
