"""Workflows in PostgreSQL: `PostgresPersistenceProvider`. Needs the extra `postgres`."""

from ruvon.implementations.persistence.postgres._driver import DatabaseServerError, PoolSettings, shown_url
from ruvon.implementations.persistence.postgres._provider import PostgresPersistenceProvider
from ruvon.implementations.persistence.postgres._schema import read_revisions

__all__ = ["DatabaseServerError", "PoolSettings", "PostgresPersistenceProvider", "read_revisions", "shown_url"]
