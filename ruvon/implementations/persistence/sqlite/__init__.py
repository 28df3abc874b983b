"""Workflows in one SQLite file: `SQLitePersistenceProvider`, and the tables it creates in `SQLITE_SCHEMA`."""

from ruvon.implementations.persistence.sqlite._connection import DatabaseFileError, Durability, read_version
from ruvon.implementations.persistence.sqlite._provider import SQLitePersistenceProvider
from ruvon.implementations.persistence.sqlite._schema import SQLITE_SCHEMA
from ruvon.implementations.persistence.sqlite._upgrade import upgrade_script

__all__ = [
    "SQLITE_SCHEMA",
    "DatabaseFileError",
    "Durability",
    "SQLitePersistenceProvider",
    "read_version",
    "upgrade_script",
]
