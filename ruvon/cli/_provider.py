"""The store behind a command: a SQLite file, a PostgreSQL or a Redis server, by the form of the database's name."""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ruvon.cli._output import Exit, fail
from ruvon.cli._settings import setting

if TYPE_CHECKING:
    from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
    from ruvon.implementations.persistence.redis import RedisPersistenceProvider
    from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
    from ruvon.providers import ExecutionProvider

__all__ = [
    "EXECUTIONS",
    "Provider",
    "durability",
    "is_redis",
    "is_server",
    "new_execution",
    "new_provider",
    "without_password",
]

Provider: TypeAlias = "SQLitePersistenceProvider | PostgresPersistenceProvider | RedisPersistenceProvider"

EXECUTIONS: Final = ("sync", "thread_pool", "queue", "postgres", "celery")
"""Values of the setting `execution`: the names that `execution_named` knows."""
_POSTGRES: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_REDIS: Final = frozenset({"redis", "rediss", "unix"})
_PATIENCE_S: Final = 5.0


def is_server(database: str) -> bool:
    """Whether this names a database on a server."""
    return "://" in database and database.partition("://")[0] in _POSTGRES | _REDIS


def is_redis(database: str) -> bool:
    """Whether this names a Redis server."""
    return is_server(database) and database.partition("://")[0] in _REDIS


def without_password(database: str) -> str:
    """A database's name as it may be printed."""
    if not is_server(database):
        return database
    from ruvon.implementations.persistence._urls import shown_url  # noqa: PLC0415

    return shown_url(database)


def new_provider(database: str, *, migrate: bool) -> Provider:
    """A provider that is not open yet.

    Args:
        database: a file, `:memory:` or a URL.
        migrate: bring the tables of a server up to date; a file's always are.
    """
    if is_redis(database):
        from ruvon.implementations.persistence.redis import RedisPersistenceProvider  # noqa: PLC0415

        try:
            return RedisPersistenceProvider(database, reconnect_timeout_s=_PATIENCE_S)
        except ValueError as exc:
            fail(str(exc), Exit.USAGE)
    if is_server(database):
        from ruvon.implementations.persistence.postgres import (  # noqa: PLC0415
            PoolSettings,
            PostgresPersistenceProvider,
        )

        few = PoolSettings(min_size=1, max_size=4)
        return PostgresPersistenceProvider(database, pool=few, migrate=migrate, reconnect_timeout_s=_PATIENCE_S)
    from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider  # noqa: PLC0415

    return SQLitePersistenceProvider(database, durability=durability())


def new_execution(name: str) -> "ExecutionProvider":
    """Who runs step bodies, by its name."""
    from ruvon.implementations.execution._named import execution_named  # noqa: PLC0415
    from ruvon.providers import MissingExtraError  # noqa: PLC0415

    try:
        return execution_named(name)
    except MissingExtraError as exc:
        fail(f"the executor {name} cannot be used: {exc}", Exit.USAGE)
    except ValueError:
        fail(f"the setting execution is `{name}`; it is one of {', '.join(EXECUTIONS)}", Exit.USAGE)


def durability() -> Any:
    """The durability class of the settings, for files."""
    value = setting("durability").upper()
    if value not in {"FULL", "NORMAL", "OFF"}:
        fail(f"the setting durability is `{value}`; it is one of FULL, NORMAL, OFF", Exit.USAGE)
    return value
