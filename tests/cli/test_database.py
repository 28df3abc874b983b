"""db init, status, stats, validate; config."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ruvon.implementations.persistence.sqlite._schema import SCHEMA_VERSION
from tests.cli.conftest import FLOWS, Command, masked
from tests.support.golden import GOLDEN

Starter = Callable[..., str]
ROOTS = ("--import-root", str(FLOWS.parent))


def _change(statement: str) -> None:
    with sqlite3.connect("ruvon.db") as connection:
        connection.execute(statement)
    connection.close()


def test_init_creates_and_keeps(ruvon: Command, started: Starter) -> None:
    """`db init` creates the file; a second one leaves what is in it."""
    assert ruvon("db", "init", "--json").json["created"] is True
    started("Timer", {})
    assert ruvon("db", "init", "--json").json["created"] is False
    assert len(ruvon("list", "--json").json) == 1


def test_status(ruvon: Command, place: Path, golden: Callable[[Path, str], None]) -> None:
    """`db status` says file, size, schema version, durability and journal."""
    ruvon("db", "init")
    found = ruvon("db", "status", "--json").json

    assert (found["journal_mode"], found["durability"], found["workflows"]) == ("wal", "FULL", 0)
    text = masked(ruvon("db", "status").out, place).replace(sqlite3.sqlite_version, "<version>")
    golden(GOLDEN / "cli" / "db_status.txt", text)


def test_stats_count(ruvon: Command, started: Starter) -> None:
    """`db stats` counts rows and workflows by status."""
    started("Timer", {}, "--auto")
    started("Timer", {})

    found = ruvon("db", "stats", "--json").json
    assert found["by_status"] == {"ACTIVE": 1, "COMPLETED": 1}
    assert found["rows"]["definitions"] == 1
    assert "COMPLETED" in ruvon("db", "stats").out


def test_a_sound_database(ruvon: Command, started: Starter) -> None:
    """`db validate` ends with 0 when nothing is missing, restarts and children included."""
    started("Outer", {"name": "Ada"}, "--auto", "--workflows", str(FLOWS))
    started("Timer", {}, "--auto")

    assert ruvon("db", "validate").code == 0
    assert ruvon("db", "validate", "--json").json["ok"] is True


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM workflow_definitions", "its definition is not stored"),
        ("UPDATE workflow_definitions SET text = '{'", "a definition cannot be read"),
        (
            "UPDATE workflow_definitions SET text = (SELECT max(text) FROM workflow_definitions)",
            "a definition was changed",
        ),
        ("DELETE FROM workflow_audit_log WHERE seq = 2", "a log entry before this one is missing"),
        ("DELETE FROM workflow_audit_log WHERE kind = 'end'", "its newest log entry is missing"),
        ("DELETE FROM workflow_snapshots", "its state is not stored"),
        ("DELETE FROM workflow_executions", "log entries belong to no workflow"),
    ],
)
def test_damage_is_found(ruvon: Command, started: Starter, damage: str, problem: str) -> None:
    """`db validate` names what is wrong and ends with code 3."""
    started("Timer", {}, "--auto")
    started("Gated", {"gate": "none"})
    _change(damage)

    done = ruvon("db", "validate", "--json")

    assert done.code == 3
    assert problem in {item["problem"] for item in done.json["problems"]}
    assert problem in ruvon("db", "validate").out


def test_settings_decide_where_workflows_live(ruvon: Command, place: Path) -> None:
    """The stored setting, the variable and the option name the database, in this order of weight."""
    ruvon("config", "set-persistence", "sqlite:///stored.db")
    ruvon("db", "init")
    ruvon("db", "init", "--db", "given.db")

    assert sorted(file.name for file in place.glob("*.db")) == ["given.db", "stored.db"]


def test_the_environment_wins_over_the_file(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUVON_DB_URL is stronger than the config file, and `config show` says where each value comes from."""
    ruvon("config", "set-persistence", "stored.db")
    monkeypatch.setenv("RUVON_DB_URL", "other.db")

    rows = {row["setting"]: (row["value"], row["source"]) for row in ruvon("config", "show", "--json").json}
    assert rows["database"] == ("other.db", "environment")
    assert rows["execution"] == ("sync", "default")
    assert ruvon("config", "show").code == 0


def test_config_is_reset(ruvon: Command) -> None:
    """`config reset` deletes the file, after asking unless --yes is given."""
    ruvon("config", "set-default", "durability", "NORMAL")
    path = Path(ruvon("config", "path").out.strip())

    assert ruvon("config", "reset", given="n\n").code == 0
    assert path.exists()
    assert ruvon("config", "reset", "--yes").code == 0
    assert not path.exists()


def test_durability_is_a_setting(ruvon: Command) -> None:
    """The durability class comes from the settings; an unknown one is refused."""
    ruvon("config", "set-default", "durability", "NORMAL")
    ruvon("db", "init")
    assert ruvon("db", "status", "--json").json["durability"] == "NORMAL"

    ruvon("config", "set-default", "durability", "SOMETIMES")
    assert ruvon("db", "status").code == 2


def test_migrate_prints_or_upgrades_an_old_file(ruvon: Command) -> None:
    """A dry run prints what is missing and leaves the file alone; then it is brought up to date."""
    ruvon("db", "init")
    assert ruvon("db", "migrate", "--dry-run").out.startswith("nothing to do")
    _change("DROP TABLE workflow_metrics")
    _change("PRAGMA user_version = 0")

    printed = ruvon("db", "migrate", "--dry-run").out
    assert "CREATE TABLE IF NOT EXISTS workflow_metrics" in printed
    assert f"schema version {SCHEMA_VERSION}" in ruvon("db", "migrate").out
    assert ruvon("db", "status", "--json").json["schema_version"] == SCHEMA_VERSION


def test_a_file_of_another_program_is_refused(ruvon: Command) -> None:
    """Where a table of it has a name that Ruvon needs, the sentence says so, and nothing is added."""
    _change("CREATE TABLE workflow_executions (a INTEGER)")

    refused = ruvon("db", "init")

    assert refused.code == 3
    assert "another program's tables have names that Ruvon needs" in refused.err
    with sqlite3.connect("ruvon.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("workflow_executions",)]
    connection.close()
