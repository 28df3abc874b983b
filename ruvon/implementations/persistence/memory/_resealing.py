"""Records with values of the author's, read and swapped one by one, as the stores with files do it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, final

import orjson

from ruvon.implementations.persistence._rows import json_text
from ruvon.implementations.persistence._stored import TABLES
from ruvon.implementations.persistence.memory._tables import Tables
from ruvon.providers.encryption import Form, StoredRow, StoredTable

__all__ = ["Resealing"]


@final
@dataclass(frozen=True, slots=True)
class _Item:
    """One record: its fields, as the table's columns call them, are read and set here."""

    scope: str
    details: tuple[object, ...]
    get: Callable[[str], Any]
    put: Callable[[str, Any], None]


class Resealing(Tables):
    """`ResealableStore` in memory; a table is one portion."""

    @property
    def stored_tables(self) -> Sequence[StoredTable]:
        """The tables that hold values of the author's."""
        return TABLES

    async def read_stored(
        self, table: StoredTable, /, *, after: object = None, limit: int = 200
    ) -> tuple[Sequence[StoredRow], object]:
        """All rows of a table."""
        rows = [
            StoredRow(
                item.scope,
                item.details,
                {name: _bytes(form, item.get(name)) for name, form in table.columns.items()},
                item,
            )
            for item in self._items(table)
        ]
        return rows, None

    async def swap_stored(
        self, table: StoredTable, swaps: Sequence[tuple[StoredRow, Mapping[str, bytes | None]]], /
    ) -> int:
        """Give rows new values."""
        done = 0
        for row, changes in swaps:
            item = cast("_Item", row.handle)
            if all(_bytes(table.columns[name], item.get(name)) == row.values[name] for name in changes):
                for name, value in changes.items():
                    item.put(name, _value(table.columns[name], value))
                done += 1
        return done

    async def compact_stored(self) -> None:
        """There are no old versions of rows."""

    def _items(self, table: StoredTable) -> Iterable[_Item]:
        match table.name:
            case "workflow_executions":
                for key, row in self._rows.items():
                    yield _of_record(str(key), row, table)
            case "workflow_snapshots":
                for key, snapshots in self._snapshots.items():
                    for place in range(len(snapshots)):
                        yield self._snapshot(str(key), snapshots, place)
            case "workflow_audit_log":
                for key, log in self._logs.items():
                    yield from (_listed(str(key), log, entry, table) for entry in log)
            case "workflow_inbox":
                for key, inbox in self._inboxes.items():
                    yield from (_listed(str(key), inbox, message, table) for message in inbox)
            case "workflow_documents":
                for name in self._saved:
                    yield _Item(name, (), _picker(self._saved, name), _putter(self._saved, name))
            case "workflow_execution_logs" | "workflow_heartbeats":
                lines = self.execution_logs if table.name == "workflow_execution_logs" else self._heartbeats.values()
                for line in lines:
                    yield _Item(line["workflow_id"], (), line.__getitem__, line.__setitem__)
            case _:
                records: dict[str, Iterable[Any]] = {
                    "tasks": self._tasks.values(),
                    "workflow_outbox": self.outbox,
                    "workflow_schedules": self._schedules.values(),
                }
                for record in records[table.name]:
                    yield _of_record(str(getattr(record, table.scope)), record, table)

    def _snapshot(self, whose: str, snapshots: list[tuple[int, bytes]], place: int) -> _Item:
        """A snapshot; the newest one is in the row too."""
        seq = snapshots[place][0]
        row = next(row for key, row in self._rows.items() if str(key) == whose)

        def put(_name: str, value: Any) -> None:
            snapshots[place] = (seq, value)
            if row.snapshot_seq == seq:
                row.snapshot = value

        return _Item(whose, (seq,), lambda _name: snapshots[place][1], put)


def _of_record(scope: str, record: Any, table: StoredTable) -> _Item:
    def get(name: str) -> Any:
        return getattr(record, name)

    def put(name: str, value: Any) -> None:
        setattr(record, name, value)

    return _Item(scope, _details(record, table), get, put)


def _listed(scope: str, records: list[Any], record: Any, table: StoredTable) -> _Item:
    """A record of a list, which is replaced there: whoever gave it to the store may still have it."""
    now = record

    def get(name: str) -> Any:
        return getattr(now, name)

    def put(name: str, value: Any) -> None:
        nonlocal now
        changed = replace(now, **{name: value})
        records[:] = [changed if item is now else item for item in records]
        now = changed

    return _Item(scope, _details(record, table), get, put)


def _details(record: Any, table: StoredTable) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in table.details)


def _picker(saved: dict[str, dict[str, Any]], name: str) -> Callable[[str], Any]:
    return lambda _column: saved[name]


def _putter(saved: dict[str, dict[str, Any]], name: str) -> Callable[[str, Any], None]:
    def put(_column: str, value: Any) -> None:
        saved[name] = value

    return put


def _bytes(form: Form, value: Any) -> bytes | None:
    match form:
        case Form.BYTES:
            return cast("bytes | None", value)
        case Form.TEXT:
            return str(value).encode("utf-8", "surrogatepass")
        case _:
            return json_text(value).encode()


def _value(form: Form, value: bytes | None) -> Any:
    if value is None or form is Form.BYTES:
        return value
    return value.decode("utf-8", "surrogatepass") if form is Form.TEXT else orjson.loads(value)
