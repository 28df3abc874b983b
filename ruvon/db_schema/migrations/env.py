"""Alembic's entrance: the database comes from the caller, from `-x url=`, or from the environment."""

import asyncio
import importlib
import os
from collections.abc import Iterable
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ruvon.db_schema.database import OWN_TABLES, metadata

_ARGUMENTS = context.get_x_argument(as_dictionary=True)


def _url() -> str:
    given = str(_ARGUMENTS.get("url") or os.environ.get("RUVON_DB_URL") or os.environ.get("DATABASE_URL") or "")
    if not given:
        raise SystemExit("which database? give -x url=postgresql://..., or set RUVON_DB_URL")
    return given if "://" in given else f"sqlite:///{given}"


def _is_ours(item: object, name: str | None, kind: str, reflected: bool, compared: object) -> bool:
    """What autogenerate looks at: not what only a device has, or only another dialect."""
    del compared
    if context.get_context().dialect.name == "sqlite" and _is_spelled_otherwise(item):
        return False
    if kind == "table" and reflected:
        return name in metadata.tables
    if kind == "index" and not reflected and isinstance(item, sa.Index):
        condition = getattr(item, "_ddl_if", None)
        return condition is None or condition.dialect == context.get_context().dialect.name
    return True


def _is_spelled_otherwise(item: object) -> bool:
    """A file that a provider has created says `PRIMARY KEY` and `UNIQUE` in other words, which mean the same."""
    if isinstance(item, sa.UniqueConstraint):
        return item.table.name in OWN_TABLES
    return isinstance(item, sa.Column) and item.primary_key and item.table.name in OWN_TABLES


def _configure(**options: Any) -> None:
    context.configure(
        target_metadata=metadata,
        include_object=_is_ours,
        render_as_batch=True,
        compare_type=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


def _online(connection: sa.Connection) -> None:
    _configure(connection=connection)


async def _online_postgres(url: str) -> None:
    schema = _ARGUMENTS.get("schema")
    settings = {"search_path": str(schema)} if schema else {}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=lambda: asyncpg.connect(url.replace("+asyncpg", "", 1), server_settings=settings),
    )
    async with engine.begin() as connection:
        await connection.run_sync(_online)
    await engine.dispose()


def _tables_of_the_application(modules: Iterable[str]) -> None:
    for name in modules:
        if name.strip():
            importlib.import_module(name.strip())


def _run() -> None:
    _tables_of_the_application(os.environ.get("RUVON_TABLES", "").split(","))
    given = context.config.attributes
    if "connection" in given:
        _online(given["connection"])
    elif context.is_offline_mode():
        scheme = given.get("dialect") or _url().partition(":")[0].partition("+")[0]
        _configure(dialect_name="postgresql" if scheme == "postgres" else scheme, literal_binds=True)
    elif _url().startswith("sqlite"):
        with sa.create_engine(_url(), poolclass=NullPool).begin() as connection:
            _online(connection)
    else:
        asyncio.run(_online_postgres(_url()))


_run()
