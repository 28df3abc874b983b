"""Running the migrations: online for a database, or as the SQL that would be run."""

import io
import os
from pathlib import Path
from typing import Final

from ruvon.db_schema._revision import MigrationError
from ruvon.providers import MissingExtraError

try:
    import asyncpg
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool
except ImportError as exc:
    raise MissingExtraError("postgres", exc.name or "alembic") from None

__all__ = ["config_of", "pending", "script", "upgrade"]

_FOLDER: Final = Path(__file__).parent
_LOCK: Final = 0x527576_6F6E
"""The advisory lock under which one process at a time changes a schema."""


def config_of(output: io.StringIO | None = None) -> Config:
    """Alembic's configuration: our history, and that of the folders in `RUVON_MIGRATIONS`."""
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_FOLDER / "migrations"))
    config.set_main_option("path_separator", "os")
    further = [item for item in os.environ.get("RUVON_MIGRATIONS", "").split(os.pathsep) if item]
    places = [str(_FOLDER / "migrations" / "versions"), *further]
    config.set_main_option("version_locations", os.pathsep.join(places))
    return config


def pending(found: tuple[str, ...]) -> list[str]:
    """The revisions that a database with these still lacks, oldest first.

    Raises:
        MigrationError: it has a revision that is not known here.
    """
    scripts = ScriptDirectory.from_config(config_of())
    try:
        had = {item.revision for item in scripts.iterate_revisions(found, "base")} if found else set[str]()
        heads = [item.revision for item in scripts.walk_revisions()]
    except (CommandError, RevisionError) as exc:
        raise MigrationError(
            f"the database has the schema revision {', '.join(found)}, which is not known here ({exc}); "
            "upgrade Ruvon, or name the folder of your own revisions in RUVON_MIGRATIONS"
        ) from None
    return [revision for revision in reversed(heads) if revision not in had]


def script(found: tuple[str, ...], dialect: str = "postgresql") -> str:
    """The SQL that brings a database with these revisions up to date; "" where nothing is to be done."""
    if not pending(found):
        return ""
    output = io.StringIO()
    config = config_of(output)
    config.attributes["dialect"] = dialect
    start = f"{found[0]}:" if found else ""
    command.upgrade(config, f"{start}heads", sql=True)
    return output.getvalue()


async def upgrade(url: str, schema: str | None) -> None:
    """Bring a PostgreSQL database to the newest revision: all of it or nothing, one process at a time.

    Raises:
        MigrationError: a migration failed; nothing was changed.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=lambda: asyncpg.connect(url, server_settings={"search_path": schema} if schema else {}),
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if schema:
                await connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, CommandError) as exc:
        reason = getattr(exc, "orig", None) or exc
        raise MigrationError(f"the migration failed and changed nothing: {reason}") from exc
    finally:
        await engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    config = config_of()
    config.attributes["connection"] = connection
    found = tuple(_stored(connection))
    pending(found)  # an unknown revision is told in our words
    command.upgrade(config, "heads")


def _stored(connection: sa.Connection) -> list[str]:
    if not sa.inspect(connection).has_table("alembic_version"):
        return []
    return [str(row[0]) for row in connection.execute(sa.text("SELECT version_num FROM alembic_version"))]
