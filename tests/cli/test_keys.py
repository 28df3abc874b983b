"""`ruvon db new-key` and `ruvon db rotate-key`, as an operator meets them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.encryption import survey
from tests.cli.conftest import ORDER, SMALL

VARIABLES = ("RUVON_ENCRYPTION_KEY", "RUVON_ENCRYPTION_KEY_FILE", "RUVON_ENCRYPTION_REQUIRED")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keys(ruvon: Any) -> tuple[str, str]:
    """Two keys, as the command makes them."""
    made = [ruvon("db", "new-key", name).out.strip() for name in ("k1", "k2")]
    return made[0], made[1]


def started(ruvon: Any) -> str:
    """An order that was run."""
    done = ruvon("run", ORDER, "--data", json.dumps(SMALL), "--json")
    assert done.code == 0, done.text
    return str(done.json["workflow_id"])


def test_a_new_key_is_printed_as_the_variable_takes_it(ruvon: Any) -> None:
    """Each is another one; an id that cannot be used is a usage error."""
    first, second = (ruvon("db", "new-key", "2026-11") for _ in range(2))
    assert first.out.startswith("2026-11:")
    assert first.out != second.out
    refused = ruvon("db", "new-key", "a:b")
    assert refused.code == 2
    assert "the id of a key has" in refused.err


def test_without_keys_there_is_nothing_to_rotate(ruvon: Any, place: Path) -> None:
    """The sentence says how to get one."""
    ruvon("db", "init")
    refused = ruvon("db", "rotate-key")
    assert refused.code == 2
    assert "ruvon db new-key" in refused.err


def test_a_store_is_encrypted_rotated_and_decrypted(
    ruvon: Any, place: Path, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole life of a store, with what is shown at each moment."""
    first, second = keys
    name = started(ruvon)
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", first)
    dry = ruvon("db", "rotate-key", "--dry-run")
    assert dry.code == 0
    assert "values would be written anew, under the key `k1`; nothing was changed" in dry.out
    done = ruvon("db", "rotate-key", "--compact", "--json").json
    assert (done["left"], done["unreadable"], done["key_id"]) == (0, 0, "k1")
    assert done["by_key"] == {"": done["to_change"]}
    assert SMALL["customer"].encode() not in b"".join(path.read_bytes() for path in place.glob("ruvon.db*"))
    assert SMALL["customer"] in ruvon("show", name).out
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", second)
    unknown = ruvon("show", name)
    assert unknown.code == 3
    assert "is encrypted with the key `k1`, which this process does not have" in unknown.err
    missing = ruvon("db", "rotate-key")
    assert missing.code == 3
    assert "unreadable: " in missing.out
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", f"{second},{first}")
    assert "done: everything is under the key `k2`" in ruvon("db", "rotate-key").out
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY")
    assert ruvon("show", name).code == 3
    assert ruvon("list").code == 0
    (place / "keys").write_text(f"{second}\n")
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY_FILE", str(place / "keys"))
    assert "done: everything is in plain" in ruvon("db", "rotate-key", "--decrypt").out
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY_FILE")
    assert SMALL["customer"] in ruvon("show", name).out


def test_status_says_which_keys_a_store_is_encrypted_with(
    ruvon: Any, place: Path, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In plain, under one key, under two and partly in plain; with the figures of a rotation, and without any key, too."""
    first, second = keys
    ruvon("db", "init")
    assert "encryption      nothing is stored yet\n" in ruvon("db", "status").out
    started(ruvon)
    plain = ruvon("db", "status", "--json").json["encryption"]
    assert (plain["is_encrypted"], plain["by_key"], plain["is_complete"]) == (False, {}, True)
    assert f"encryption      no: {plain['plain']} values in plain\n" in ruvon("db", "status").out
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", first)
    started(ruvon)
    both = ruvon("db", "status")
    found = ruvon("db", "status", "--json").json["encryption"]
    under_first = found["by_key"]["k1"]
    assert ruvon("db", "rotate-key", "--dry-run", "--json").json["by_key"] == {"": plain["plain"], "k1": under_first}
    text = f"encryption      partly: {under_first} values under the key `k1`, {plain['plain']} values in plain\n"
    assert text in both.out
    left = (
        f"warning: {plain['plain']} values are not under the current key `k1`; `ruvon db rotate-key` writes them anew"
    )
    assert left in both.text
    ruvon("db", "rotate-key")
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", f"{second},{first}")
    whole = ruvon("db", "status", "--json").json["encryption"]
    assert whole["not_under_current_key"] == whole["by_key"]["k1"] == plain["plain"] + under_first
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY")
    bare = ruvon("db", "status")
    assert bare.code == 0
    assert f"encryption      yes: {plain['plain'] + under_first} values under the key `k1`\n" in bare.out
    assert "warning" not in bare.text


def test_status_of_a_large_store_looks_at_the_oldest_rows(
    ruvon: Any, place: Path, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so: what is counted is the least that there is."""
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", keys[0])
    started(ruvon)
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", f"{keys[1]},{keys[0]}")
    monkeypatch.setattr(survey, "__kwdefaults__", {"most_rows": 2})

    done = ruvon("db", "status")

    assert "(among the oldest rows; `ruvon db rotate-key --dry-run` counts all of them)" in done.out
    assert "warning: at least " in done.text


@pytest.mark.parametrize("command", ["show", "resume", "logs", "retry"])
def test_no_command_ends_with_a_traceback_without_the_key(
    ruvon: Any, place: Path, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Each says which key it lacks."""
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", keys[0])
    name = started(ruvon)
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY")
    refused = ruvon(command, name)
    assert refused.code == 3
    assert "`k1`" in refused.err
    assert "Traceback" not in refused.text


def test_a_broken_key_is_a_sentence(ruvon: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not shown."""
    ruvon("db", "init")
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", "k1:notbase64!")
    refused = ruvon("list")
    assert refused.code == 2
    assert "RUVON_ENCRYPTION_KEY: the key `k1` is not Base64" in refused.err
    assert "notbase64" not in refused.text
