"""Rows with values of the author's, read and swapped one by one: how a database is encrypted anew while it is in use.

A swap waits for nobody: a row that somebody else has locked is left for the next pass, so there can be no deadlock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ruvon.implementations.persistence._stored import EXECUTIONS, TABLES
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import DRIVER_ERRORS, DatabaseServerError, describe
from ruvon.providers.encryption import Form, StoredRow, StoredTable

__all__ = ["Resealing"]

_BESIDE: Final = frozenset({"workflow_snapshots", "workflow_audit_log"})
"""Tables whose rows name their instance by its key."""
_COMPACT_TIMEOUT_S: Final = 24 * 3600.0
_TABLES: Final = (replace(EXECUTIONS, columns={**EXECUTIONS.columns, "state": Form.PICTURE}), *TABLES[1:])

# Names of tables and columns are our own; values are always bound.
_READ: Final = (
    "SELECT t.{key} AS row_key, {scope} AS row_scope, {columns} FROM {source} {where} ORDER BY t.{key} LIMIT $1"
)
_SWAP: Final = """
WITH given AS (SELECT * FROM unnest($1::{key_type}[], {arrays}) AS g ({names})),
     free AS (
         SELECT t.{key} FROM {name} t WHERE t.{key} = ANY($1::{key_type}[]) FOR UPDATE SKIP LOCKED)
UPDATE {name} t SET {changes}
FROM given g JOIN free f ON f.{key} = g.row_key
WHERE t.{key} = g.row_key AND {guards}
RETURNING t.{key}"""


def _read(table: StoredTable, where: str) -> str:
    beside = table.name in _BESIDE
    columns = [f"t.{name}::text AS {name}" if name == "state" else f"t.{name}" for name in table.columns]
    return _READ.format(
        key=table.key,
        scope="e.id" if beside else f"t.{table.scope}",
        columns=", ".join((*columns, *(f"t.{name} AS detail_{name}" for name in table.details))),
        source=f"{table.name} t" + (" JOIN workflow_executions e ON e.key = t.workflow_key" if beside else ""),
        where=where.format(key=table.key, key_type=_key_type(table)),
    )


def _swap(table: StoredTable) -> str:
    types = ["bytea" if form is Form.BYTES else "text" for form in table.columns.values()]
    casts = ["::jsonb" if name == "state" else "" for name in table.columns]
    count = len(types)
    return _SWAP.format(
        name=table.name,
        key=table.key,
        key_type=_key_type(table),
        arrays=", ".join(f"${place}::{kind}[]" for place, kind in enumerate([*types, *types], 2)),
        names=", ".join(("row_key", *(f"n{i}" for i in range(count)), *(f"o{i}" for i in range(count)))),
        changes=", ".join(f"{name} = g.n{i}{casts[i]}" for i, name in enumerate(table.columns)),
        guards=" AND ".join(
            f"t.{name}{'::text' if casts[i] else ''} IS NOT DISTINCT FROM g.o{i}"
            for i, name in enumerate(table.columns)
        ),
    )


def _key_type(table: StoredTable) -> str:
    return "text" if table.key_is_text else "bigint"


_FIRST: Final = {table.name: _read(table, "") for table in _TABLES}
_NEXT: Final = {table.name: _read(table, "WHERE t.{key} > $2::{key_type}") for table in _TABLES}
_SWAPS: Final = {table.name: _swap(table) for table in _TABLES}


class Resealing(Database):
    """`ResealableStore` of a database."""

    @property
    def stored_tables(self) -> Sequence[StoredTable]:
        """The tables that hold values of the author's, with the picture of the state."""
        return _TABLES

    async def read_stored(
        self, table: StoredTable, /, *, after: object = None, limit: int = 200
    ) -> tuple[Sequence[StoredRow], object]:
        """The next rows of a table in the order of its key, and the key of the last one."""
        if after is None:
            found = await self._all(_FIRST[table.name], limit)
        else:
            found = await self._all(_NEXT[table.name], limit, after)
        rows = [
            StoredRow(
                str(row["row_scope"]),
                tuple(row[f"detail_{name}"] for name in table.details),
                {name: _bytes(row[name]) for name in table.columns},
                row["row_key"],
            )
            for row in found
        ]
        return rows, rows[-1].handle if len(rows) == limit else None

    async def swap_stored(
        self, table: StoredTable, swaps: Sequence[tuple[StoredRow, Mapping[str, bytes | None]]], /
    ) -> int:
        """Give rows new values, with one statement."""
        new = [{**row.values, **changes} for row, changes in swaps]
        old = [row.values for row, _ in swaps]
        arrays = [
            [_column(form, values[name]) for values in side]
            for side in (new, old)
            for name, form in table.columns.items()
        ]
        return len(await self._all(_SWAPS[table.name], [row.handle for row, _ in swaps], *arrays))

    async def compact_stored(self) -> None:
        """Write the tables anew; each is locked meanwhile."""
        connection = await self._connect_again()
        try:
            for table in _TABLES:
                await connection.execute(f"VACUUM (FULL) {table.name}", timeout=_COMPACT_TIMEOUT_S)
        except DRIVER_ERRORS as exc:
            raise DatabaseServerError(self.db_url, describe(exc)) from exc
        finally:
            await connection.close()


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _column(form: Form, value: bytes | None) -> bytes | str | None:
    return value if value is None or form is Form.BYTES else value.decode()
