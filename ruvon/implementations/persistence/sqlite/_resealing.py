"""Rows with values of the author's, read and swapped one by one: how a store is encrypted anew while it is in use."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from ruvon.implementations.persistence._stored import DEVICE_TEXTS, TABLES
from ruvon.implementations.persistence.sqlite._connection import DatabaseFileError, describe, open_connection
from ruvon.implementations.persistence.sqlite._database import Database
from ruvon.providers.encryption import Form, StoredRow, StoredTable

__all__ = ["Resealing"]

_BESIDE: Final = frozenset({"workflow_snapshots", "workflow_audit_log"})
"""Tables whose rows name their instance by its key."""
# Names of tables and columns are our own; values are always bound.
_READ: Final = (
    "SELECT t.{key} AS row_key, {scope} AS row_scope, {columns} FROM {source} {where} ORDER BY t.{key} LIMIT ?"
)
_SWAP: Final = "UPDATE {name} SET {changes} WHERE {key} = ? AND {guards}"


def _read(table: StoredTable, where: str) -> str:
    beside = table.name in _BESIDE
    return _READ.format(
        key=table.key,
        scope="e.id" if beside else f"t.{table.scope}",
        columns=", ".join(f"t.{name}" for name in (*table.columns, *table.details)),
        source=f"{table.name} t" + (" JOIN workflow_executions e ON e.key = t.workflow_key" if beside else ""),
        where=where.format(key=table.key),
    )


def _swap(table: StoredTable) -> str:
    return _SWAP.format(
        name=table.name,
        key=table.key,
        changes=", ".join(f"{name} = ?" for name in table.columns),
        guards=" AND ".join(f"{name} IS ?" for name in table.columns),
    )


_TABLES: Final = (*TABLES, DEVICE_TEXTS)
_FIRST: Final = {table.name: _read(table, "") for table in _TABLES}
_NEXT: Final = {table.name: _read(table, "WHERE t.{key} > ?") for table in _TABLES}
_SWAPS: Final = {table.name: _swap(table) for table in _TABLES}


class Resealing(Database):
    """`ResealableStore` of a file."""

    @property
    def stored_tables(self) -> Sequence[StoredTable]:
        """The tables that hold values of the author's."""
        return _TABLES

    async def read_stored(
        self, table: StoredTable, /, *, after: object = None, limit: int = 200
    ) -> tuple[Sequence[StoredRow], object]:
        """The next rows of a table in the order of its key, and the key of the last one."""
        if after is None:
            found = await self._scan(_FIRST[table.name], (limit,))
        else:
            found = await self._scan(_NEXT[table.name], (after, limit))
        rows = [
            StoredRow(
                str(row["row_scope"]),
                tuple(row[name] for name in table.details),
                {name: _bytes(row[name]) for name in table.columns},
                row["row_key"],
            )
            for row in found
        ]
        return rows, rows[-1].handle if len(rows) == limit else None

    async def swap_stored(
        self, table: StoredTable, swaps: Sequence[tuple[StoredRow, Mapping[str, bytes | None]]], /
    ) -> int:
        """Give rows new values, in one transaction."""
        statement = _SWAPS[table.name]
        values = [
            (*_columns(table, {**row.values, **changes}), row.handle, *_columns(table, row.values))
            for row, changes in swaps
        ]

        def work(connection: sqlite3.Connection) -> int:
            return sum(connection.execute(statement, item).rowcount for item in values)

        done = await self._write(work)
        return done if isinstance(done, int) else 0

    async def compact_stored(self) -> None:
        """Write the file anew, and empty the journal beside it."""
        if not self._memory:
            self._open_writer()
            await asyncio.to_thread(self._compact)

    def _compact(self) -> None:
        connection = open_connection(self.db_path, self.durability)
        try:
            with self._open_locks().write_turn():
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as exc:
            raise DatabaseFileError(self.db_path, describe(exc)) from exc
        finally:
            connection.close()


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _columns(table: StoredTable, values: Mapping[str, bytes | None]) -> list[bytes | str | None]:
    return [_column(form, values[name]) for name, form in table.columns.items()]


def _column(form: Form, value: bytes | None) -> bytes | str | None:
    return value if value is None or form is Form.BYTES else value.decode("utf-8", "surrogatepass")
