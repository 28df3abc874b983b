"""The command line on PostgreSQL: whatever works with `--db FILE` works with `--db postgresql://...`."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from ruvon.db_schema import HEAD
from tests.cli.conftest import FLOWS, Command, place, ruvon
from tests.support.postgres import database, emptied, needs_postgres, query

__all__ = ["place", "ruvon"]

pytestmark = needs_postgres

ROOTS = ("--import-root", str(FLOWS.parent))


@pytest.fixture(autouse=True)
def _server(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied()
    monkeypatch.setenv("RUVON_DB_URL", database())


def started(ruvon: Command, workflow: str, data: object, *options: str) -> str:
    """Start a workflow of the test flows and give its id."""
    done = ruvon("start", str(FLOWS), "--workflow", workflow, "-d", json.dumps(data), "--json", *options)
    assert done.code in {0, 1}, done.text
    return str(done.json["workflow_id"])


def test_a_run_from_start_to_end(ruvon: Command) -> None:
    """Start, list, show, logs, and what is counted; found by the first letters of its id too."""
    run = started(ruvon, "Timer", {}, "--auto")

    assert [row["workflow_id"] for row in ruvon("list", "--json").json] == [run]
    assert ruvon("show", run[:18], "--json").json["status"] == "COMPLETED"
    assert "COMPLETED" in ruvon("show", run).out
    assert ruvon("logs", run).code == 0
    assert ruvon("metrics", "--json").code == 0
    assert ruvon("db", "stats", "--json").json["by_status"] == {"COMPLETED": 1}
    assert "COMPLETED" in ruvon("db", "stats").out
    assert ruvon("db", "validate").out.startswith("sound: 1 workflows")


def test_the_database_is_named_by_the_option(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--db URL`, without the setting."""
    monkeypatch.delenv("RUVON_DB_URL")
    started(ruvon, "Timer", {}, "--db", database())

    assert len(ruvon("list", "--json", "--db", database()).json) == 1


def test_status_says_what_is_there(ruvon: Command) -> None:
    """Address, schema version, durability, connections, server."""
    found = ruvon("db", "status", "--json").json
    text = ruvon("db", "status").out

    assert (found["schema_version"], found["current_schema_version"], found["durability"]) == (HEAD, HEAD, "FULL")
    assert re.search(r"^database +postgresql://", text, re.MULTILINE)
    assert re.search(r"^connections +\d+ of \d+$", text, re.MULTILINE)
    assert "FULL: what is committed survives a power cut" in text


def test_damage_is_found(ruvon: Command) -> None:
    """A log entry that is missing ends `db validate` with the code for databases."""
    run = started(ruvon, "Timer", {}, "--auto")
    query(database(), "DELETE FROM workflow_audit_log WHERE seq = 1")
    done = ruvon("db", "validate")

    assert done.code == 3
    assert run in done.out


def test_tables_are_made_by_init_and_migrate(ruvon: Command) -> None:
    """A dry run prints SQL and changes nothing; other commands name the remedy; both are harmless twice."""
    name = "ruvon_test_cli"
    query(database(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    query(database(), f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(database())._replace(path=f"/{name}"))
    try:
        refused = ruvon("list", "--db", url)
        dry = ruvon("db", "migrate", "--dry-run", "--db", url)
        still = ruvon("db", "status", "--db", url)
        made = ruvon("db", "migrate", "--db", url)
        again = ruvon("db", "migrate", "--db", url)
        nothing = ruvon("db", "migrate", "--dry-run", "--db", url)
        kept = ruvon("db", "init", "--json", "--db", url).json
    finally:
        query(database(), f"DROP DATABASE {name} WITH (FORCE)")

    assert (refused.code, still.code) == (3, 3)
    assert "run `ruvon db migrate`" in refused.err
    assert "CREATE TABLE" in dry.out
    assert "workflow_executions" in dry.out
    assert f"migrated from nothing, schema version {HEAD}" in made.out
    assert f"up to date, schema version {HEAD}" in again.out
    assert nothing.out.startswith("nothing to do")
    assert kept["created"] is False


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/shop", "it cannot be reached"),
        ("mysql://localhost/shop", "SQLite files or in PostgreSQL"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_sentence(ruvon: Command, url: str, says: str) -> None:
    """With the address, without the password."""
    done = ruvon("list", "--db", url)

    assert done.code != 0
    assert says in done.err
    assert "s3cret" not in done.text


def test_hints_show_no_password(ruvon: Command) -> None:
    """The next command is printed without it."""
    parts = urlsplit(database())
    place = f"{parts.username or 'postgres'}:s3cret@{parts.netloc.rpartition('@')[2]}"
    done = ruvon("start", str(FLOWS), "--workflow", "Timer", "--db", urlunsplit(parts._replace(netloc=place)))

    assert done.code in {0, 1}, done.text
    assert "s3cret" not in done.text
