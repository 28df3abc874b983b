"""Bringing a database to the newest revision, once, whoever comes first."""

from typing import Final

from ruvon.db_schema import HEAD, MigrationError
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import (
    DRIVER_ERRORS,
    DatabaseServerError,
    connect,
    database_url,
    describe,
)

__all__ = ["prepare", "read_revisions"]

_TIMEOUT_S: Final = 10.0


async def prepare(url: str, schema: str | None, *, migrate: bool) -> None:
    """See to it that the database has the newest revision.

    Raises:
        DatabaseServerError: the migrations failed, or the database has a revision that this Ruvon does not know.
    """
    found = await read_revisions(url, schema)
    if found == (HEAD,):
        return
    from ruvon.db_schema._migrate import pending, upgrade  # noqa: PLC0415  # rarely needed, and heavy

    try:
        if migrate:
            await upgrade(url, schema)
        elif pending(found):
            raise DatabaseServerError(url, "its tables are missing or old; run `ruvon db migrate`")
    except (MigrationError, *DRIVER_ERRORS) as exc:
        raise DatabaseServerError(url, describe(exc)) from exc


async def read_revisions(db_url: str, schema: str | None = None) -> tuple[str, ...]:
    """The revisions of the schema that a database says it has; none where it has no tables.

    Raises:
        DatabaseServerError: the database cannot be used.
    """
    url = database_url(db_url)
    connection = await connect(url, schema=schema, timeout_s=_TIMEOUT_S)
    try:
        if not await connection.fetchval(sql.HAS_VERSION):
            return ()
        return tuple(sorted(str(row[0]) for row in await connection.fetch(sql.READ_VERSION)))
    except DRIVER_ERRORS as exc:
        raise DatabaseServerError(url, describe(exc)) from exc
    finally:
        await connection.close()
