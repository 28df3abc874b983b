"""Stores by name: a SQLite file, or the URL of a PostgreSQL or a Redis server."""

import os
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
    from ruvon.implementations.persistence.redis import RedisPersistenceProvider
    from ruvon.implementations.persistence.sqlite import Durability, SQLitePersistenceProvider

__all__ = [
    "MEMORY",
    "NamedProvider",
    "durability_named",
    "is_redis",
    "is_server",
    "persistence_named",
    "place_named",
]

NamedProvider: TypeAlias = "SQLitePersistenceProvider | PostgresPersistenceProvider | RedisPersistenceProvider"

MEMORY: Final = ":memory:"
_POSTGRES: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_REDIS: Final = frozenset({"redis", "rediss", "unix"})
_POOL: Final = {"POSTGRES_POOL_MIN_SIZE": "1", "POSTGRES_POOL_MAX_SIZE": "4"}
"""A command and each process of a worker have few connections, where the environment does not say otherwise."""


def is_server(database: str) -> bool:
    """Whether this names a database on a server."""
    return "://" in database and database.partition("://")[0] in _POSTGRES | _REDIS


def is_redis(database: str) -> bool:
    """Whether this names a Redis server."""
    return is_server(database) and database.partition("://")[0] in _REDIS


def place_named(database: str) -> str:
    """A database as a store is given it: a URL of a server as it is, else the path of a file, or `:memory:`.

    Raises:
        ValueError: it is a URL of something else.
    """
    if is_server(database):
        return database
    scheme, separator, rest = database.partition("://")
    if separator and scheme != "sqlite":
        raise ValueError(
            f"workflows are kept in SQLite files or in PostgreSQL or Redis; a {scheme} database cannot be used"
        )
    path = rest.removeprefix("/") if separator else database
    return MEMORY if path in {"memory", MEMORY, ""} else path


def persistence_named(
    database: str, *, durability: str = "FULL", migrate: bool = True, patience_s: float = 5.0
) -> NamedProvider:
    """A provider that is not open yet and knows nothing of encryption.

    Args:
        database: a file, `:memory:` or a URL.
        durability: of files: `FULL`, `NORMAL` or `OFF`.
        migrate: bring the tables of a server up to date; a file's always are.
        patience_s: how long a server that is away is waited for.

    Raises:
        ValueError: the URL, the durability, or the size of the pool in the environment cannot be used.
    """
    place = place_named(database)
    if is_redis(place):
        from ruvon.implementations.persistence.redis import RedisPersistenceProvider  # noqa: PLC0415 - an extra

        return RedisPersistenceProvider(place, reconnect_timeout_s=patience_s)
    if is_server(place):
        from ruvon.implementations.persistence.postgres import (  # noqa: PLC0415 - an extra
            PoolSettings,
            PostgresPersistenceProvider,
        )

        pool = PoolSettings.from_environment({**_POOL, **os.environ})
        return PostgresPersistenceProvider(place, pool=pool, migrate=migrate, reconnect_timeout_s=patience_s)
    from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider  # noqa: PLC0415 - a driver

    return SQLitePersistenceProvider(place, durability=durability_named(durability))


def durability_named(text: str) -> "Durability":
    """The durability class of this name.

    Raises:
        ValueError: there is none.
    """
    known: dict[str, Durability] = {"FULL": "FULL", "NORMAL": "NORMAL", "OFF": "OFF"}
    value = text.upper()
    if value not in known:
        raise ValueError(f"the setting durability is `{value}`; it is one of {', '.join(known)}")
    return known[value]
