"""One declaration of the tables: fresh and migrated databases are the same, on both dialects, with own tables too."""

import asyncio
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from ruvon.db_schema import HEAD, MigrationError, _migrate, database, migration_script
from ruvon.implementations.persistence.postgres import DatabaseServerError, PostgresPersistenceProvider, read_revisions
from ruvon.implementations.persistence.postgres._session import OWN_TABLES
from ruvon.implementations.persistence.sqlite import SQLITE_SCHEMA, SQLitePersistenceProvider
from ruvon.testing.contracts._records import create
from tests.support import postgres
from tests.support.postgres import needs_postgres, query

FOLDER = Path(_migrate.__file__).parent


@pytest.fixture
def empty() -> Iterator[str]:
    """A database without tables."""
    name = f"ruvon_test_{os.getpid()}_{secrets.token_hex(3)}"
    query(postgres.database(), f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(postgres.database())._replace(path=f"/{name}"))
    query(postgres.database(), f"DROP DATABASE {name} WITH (FORCE)")


def alembic(*arguments: str, module: str = "alembic", **variables: str) -> str:
    """Alembic's own command line from the folder of the schema, or the one of the package."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=FOLDER,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def catalogue(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that makes a schema: columns, indexes, constraints, options."""
    return {
        "columns": query(
            url,
            "SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default, "
            "is_identity FROM information_schema.columns WHERE table_schema = 'public' "
            "AND table_name <> 'alembic_version' ORDER BY 1, 2",
        ),
        "indexes": query(
            url,
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
            "AND tablename <> 'alembic_version' ORDER BY 1",
        ),
        "constraints": query(
            url,
            "SELECT conname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid "
            "WHERE connamespace = 'public'::regnamespace AND relname <> 'alembic_version' ORDER BY 1",
        ),
        "options": query(
            url,
            "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
            "AND relname <> 'alembic_version' ORDER BY 1",
        ),
    }


async def with_connection(url: str, work: Any) -> Any:
    """Run `work` on a connection of SQLAlchemy."""
    import asyncpg

    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url))
    async with engine.begin() as connection:
        found = await connection.run_sync(work)
    await engine.dispose()
    return found


@needs_postgres
def test_fresh_is_migrated(empty: str) -> None:
    """What the metadata creates is what the migrations make, to the last index (S1-003, S1-009)."""
    alembic("upgrade", "head", RUVON_DB_URL=empty)
    migrated = catalogue(empty)
    query(empty, "DROP SCHEMA public CASCADE")
    query(empty, "CREATE SCHEMA public")
    asyncio.run(with_connection(empty, database.metadata.create_all))

    assert catalogue(empty) == migrated
    assert {row[0] for row in migrated["options"]} == set(database.OWN_TABLES)


@needs_postgres
def test_autogenerate_finds_nothing(empty: str) -> None:
    """On a database that is up to date there is no false alarm (S1-009)."""
    alembic("-x", f"url={empty}", "upgrade", "head")

    assert "No new upgrade operations detected" in alembic("-x", f"url={empty}", "check")


@needs_postgres
def test_down_and_up_again(empty: str) -> None:
    """The history can be walked both ways (S1-010)."""
    alembic("upgrade", "head", RUVON_DB_URL=empty)
    before = catalogue(empty)
    alembic("downgrade", "base", RUVON_DB_URL=empty)
    assert catalogue(empty)["columns"] == []
    alembic("upgrade", "head", RUVON_DB_URL=empty)
    assert catalogue(empty) == before


@needs_postgres
def test_the_dry_run_is_what_happens(empty: str) -> None:
    """The printed SQL, run by hand, gives the same database, and the provider takes it as it is."""
    for statement in migration_script(()).split(";\n"):
        if statement.strip() and statement.strip() not in {"BEGIN", "COMMIT"}:
            query(empty, statement)

    by_hand = catalogue(empty)
    assert asyncio.run(read_revisions(empty)) == (HEAD,)
    assert not migration_script((HEAD,))
    query(empty, "DROP SCHEMA public CASCADE")
    query(empty, "CREATE SCHEMA public")
    alembic("upgrade", "head", RUVON_DB_URL=empty)
    assert catalogue(empty) == by_hand


@needs_postgres
def test_a_provider_that_must_not_migrate_says_so(empty: str) -> None:
    """Nothing is created."""

    async def scenario() -> None:
        with pytest.raises(DatabaseServerError, match="run `ruvon db migrate`"):
            await PostgresPersistenceProvider(empty, migrate=False).initialize()

    asyncio.run(scenario())
    assert catalogue(empty)["columns"] == []


@needs_postgres
def test_a_later_database_is_refused_untouched(empty: str) -> None:
    """A revision that is not known here is named with what can be done."""
    query(empty, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    query(empty, "INSERT INTO alembic_version VALUES ('9999')")

    async def scenario() -> None:
        with pytest.raises(DatabaseServerError, match="revision 9999, which is not known here"):
            await PostgresPersistenceProvider(empty).initialize()

    asyncio.run(scenario())
    assert catalogue(empty)["columns"] == []
    with pytest.raises(MigrationError, match="RUVON_MIGRATIONS"):
        migration_script(("9999",))


OWN = """
from sqlalchemy import Column, DateTime, Integer, String, Table, Text, func

from ruvon.db_schema.database import metadata

payment_events = Table(
    "payment_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("device_id", String(100), nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("pan_token", String(200)),
    Column("result", String(20)),
    Column("occurred_at", DateTime(timezone=True), server_default=func.now()),
    Column("raw_response", Text),
)
"""


@needs_postgres
def test_own_tables_are_migrated_in_the_same_history(empty: str, tmp_path: Path) -> None:
    """Declared on the shared metadata, found by autogenerate, applied on top of ours, and kept by the provider."""
    (tmp_path / "shop_tables.py").write_text(OWN, encoding="utf-8")
    revisions = tmp_path / "revisions"
    revisions.mkdir()
    own = {
        "RUVON_DB_URL": empty,
        "RUVON_TABLES": "shop_tables",
        "RUVON_MIGRATIONS": str(revisions),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(FOLDER.parents[1])]),
    }
    package = "ruvon.db_schema"
    alembic("upgrade", "head", module=package, **own)
    alembic("revision", "--autogenerate", "-m", "payments", module=package, **own)
    (made,) = revisions.glob("*.py")
    text = made.read_text(encoding="utf-8")
    assert text.count("op.create_table(") == 1
    assert "drop" not in text.partition("def downgrade")[0]
    alembic("upgrade", "head", module=package, **own)
    assert "No new upgrade operations detected" in alembic("check", module=package, **own)

    query(empty, "INSERT INTO payment_events (id, device_id, amount_cents, currency) VALUES ('p', 'd', 5, 'EUR')")
    ((moment,),) = query(empty, "SELECT occurred_at FROM payment_events")
    assert moment.tzinfo is not None

    async def start() -> None:
        store = PostgresPersistenceProvider(empty, pool=postgres.SMALL)
        await store.initialize()
        await create(store)
        await store.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUVON_MIGRATIONS", str(revisions))
        asyncio.run(start())
    assert query(empty, "SELECT count(*) FROM payment_events") == [(1,)]


def test_one_revision_is_the_newest() -> None:
    """The history has one head, and it is the one that a provider looks for."""
    assert ScriptDirectory.from_config(_migrate.config_of()).get_heads() == [HEAD]


def test_the_provider_knows_its_tables() -> None:
    """What `transact` keeps authors out of is what is declared."""
    assert set(OWN_TABLES) == database.OWN_TABLES


def shape(connection: sqlite3.Connection) -> dict[str, Any]:
    """Columns and indexes of a SQLite file."""
    found: dict[str, Any] = {}
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    for name in names:
        if name in {"sqlite_sequence", "alembic_version", "edge_sync_state"}:
            continue
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        found[name] = [
            (column, kind, bool(required or key), default, key)
            for _, column, kind, required, default, key in columns
            if column != "state"
        ]
        indexes = connection.execute(f"PRAGMA index_list({name})").fetchall()
        found[f"{name} indexes"] = sorted(
            (
                "" if label.startswith("sqlite_autoindex") else label,
                unique,
                partial,
                tuple(row[2] for row in connection.execute(f"PRAGMA index_info({label})")),
            )
            for _, label, unique, _, partial in indexes
        )
        kind = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        found[f"{name} options"] = ("AUTOINCREMENT" in kind, "WITHOUT ROWID" in kind)
    return found


def test_a_devices_file_is_what_the_metadata_says() -> None:
    """`SQLITE_SCHEMA` and the metadata give one file, but for the column `state`, which only servers fill (S4-042)."""
    by_hand = sqlite3.connect(":memory:")
    by_hand.executescript(SQLITE_SCHEMA)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        database.metadata.create_all(connection)
        raw: Any = connection.connection.driver_connection
        declared = shape(raw)
    engine.dispose()
    wanted = shape(by_hand)
    by_hand.close()

    assert declared == wanted


@pytest.mark.parametrize("existing", [True, False], ids=["a file of a provider", "a new file"])
def test_a_file_is_migrated_and_used(tmp_path: Path, existing: bool) -> None:
    """Alembic takes a SQLite file as it is, the metadata finds no difference then, and a provider goes on with it."""
    path = tmp_path / "runs.db"

    async def use() -> int:
        store = SQLitePersistenceProvider(path)
        await store.initialize()
        await create(store)
        rows = (await store.stats())["rows"]["workflows"]
        assert await store.check() == []
        await store.close()
        return int(rows)

    if existing:
        asyncio.run(use())
    alembic("-x", f"url={path}", "upgrade", "head")
    assert "No new upgrade operations detected" in alembic("-x", f"url=sqlite:///{path}", "check")
    assert asyncio.run(use()) == (2 if existing else 1)


def test_a_device_needs_no_sqlalchemy(tmp_path: Path) -> None:
    """A provider on a file imports neither SQLAlchemy nor Alembic nor asyncpg (S1-013)."""
    code = (
        "import asyncio, sys\n"
        "from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider\n"
        f"store = SQLitePersistenceProvider({str(tmp_path / 'a.db')!r})\n"
        "asyncio.run(store.initialize())\n"
        "print(sorted({'sqlalchemy', 'alembic', 'asyncpg', 'ruvon.db_schema'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("package", "module"),
    [("asyncpg", "ruvon.implementations.persistence.postgres"), ("sqlalchemy", "ruvon.db_schema.database")],
)
def test_a_missing_package_names_the_extra(package: str, module: str) -> None:
    """One error, with what to install."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from ruvon.providers import MissingExtraError\n"
        f"try:\n    import {module}\n"
        "except MissingExtraError as exc:\n    print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'ruvon[postgres]'" in done.stdout
