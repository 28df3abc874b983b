"""Records with values of the author's, read and swapped one by one: how a store is encrypted anew while it is in use.

Entries of a stream cannot be changed, so a stream with such entries is written anew, in one step of the script. A swap
compares what it read with what there is now, byte by byte.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, final

from ruvon.implementations.persistence._stored import TABLES
from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._database import Database
from ruvon.implementations.persistence.redis._driver import ResponseError, Wire
from ruvon.providers.encryption import StoredRow, StoredTable

__all__ = ["Resealing"]

_Page: TypeAlias = "tuple[list[StoredRow], object]"
_GLOB: Final = str.maketrans({letter: f"\\{letter}" for letter in "*?[]\\"})


@final
@dataclass(frozen=True, slots=True)
class _Cell:
    """A field of a hash or an entry of a stream, and what its bytes are made of."""

    key: str
    name: str
    """The field, or the number of the entry."""
    data: bytes
    columns: tuple[str, ...]
    """The columns in it; one alone may be the whole of it."""
    in_stream: bool = False
    unpack: "Callable[[bytes], dict[str, bytes | None]] | None" = None
    repack: "Callable[[bytes, Mapping[str, bytes | None]], bytes] | None" = None

    def values(self) -> dict[str, bytes | None]:
        """The columns as they are."""
        return {self.columns[0]: self.data} if self.unpack is None else self.unpack(self.data)

    def changed(self, changes: Mapping[str, bytes | None]) -> bytes:
        """The bytes with some columns changed."""
        if self.repack is None:
            return changes[self.columns[0]] or b""
        return self.repack(self.data, changes)


class Resealing(Database):
    """`ResealableStore` of a server."""

    @property
    def stored_tables(self) -> Sequence[StoredTable]:
        """The kinds of records that hold values of the author's."""
        return TABLES

    async def read_stored(
        self, table: StoredTable, /, *, after: object = None, limit: int = 200
    ) -> tuple[Sequence[StoredRow], object]:
        """The next records of a kind. Those of an instance come together, so there may be more than `limit`."""
        place = str(after) if after is not None else ""

        async def work(wire: Wire) -> _Page:
            return await _Reading(wire, self._base).page(table, place, limit)

        rows, there = await self._open_reader().use(work)
        return rows, there

    async def swap_stored(
        self, table: StoredTable, swaps: Sequence[tuple[StoredRow, Mapping[str, bytes | None]]], /
    ) -> int:
        """Give records new values, in one operation."""
        hashes: list[dict[str, Any]] = []
        streams: dict[str, list[dict[str, Any]]] = {}
        parts: dict[str, list[bytes]] = {}
        for row, changes in swaps:
            cells = [cell for cell in _cells(row) if changes.keys() & set(cell.columns)]
            made = [(cell, cell.changed(changes)) for cell in cells]
            fields = [{"name": cell.name, "old": len(cell.data), "new": len(new)} for cell, new in made]
            where = "" if not cells[0].in_stream else cells[0].key
            parts.setdefault(where, []).extend(data for cell, new in made for data in (cell.data, new))
            if where:
                streams.setdefault(where, []).extend(fields)
            else:
                hashes.append({"key": cells[0].key, "fields": fields})
        written = [{"key": key, "items": items} for key, items in streams.items()]
        header: dict[str, object] = {"op": "reseal", "hashes": hashes, "streams": written}
        ordered = [*parts.pop("", []), *(data for found in parts.values() for data in found)]
        return int((await self._do_plain(header, *ordered))[1])

    async def compact_stored(self) -> None:
        """Let the server write its files anew, in the background."""

        async def work(wire: Wire) -> None:
            kept = await wire.call("CONFIG", "GET", "appendonly")
            try:
                await wire.call("BGREWRITEAOF" if kept[1:] == [b"yes"] else "BGSAVE")
            except ResponseError as exc:
                if "in progress" not in str(exc):
                    raise

        await self._open_reader().use(work)


def _cells(row: StoredRow) -> list[_Cell]:
    return cast("list[_Cell]", row.handle)


@final
@dataclass(frozen=True, slots=True)
class _Reading:
    """One page read on one connection."""

    wire: Wire
    base: str

    async def page(self, table: StoredTable, place: str, limit: int) -> _Page:
        """The records of a kind from a place on, and the next place."""
        match table.name:
            case "workflow_executions" | "workflow_snapshots" | "workflow_audit_log" | "workflow_inbox":
                return await self._of_instances(table, place, limit)
            case "tasks":
                return await self._walk("ta", place, limit, self._task)
            case "workflow_documents":
                return await self._walk("docs", place, limit, self._document)
            case "workflow_heartbeats":
                return await self._walk("beats", place, limit, self._beat)
            case "workflow_schedules":
                return await self._walk("plan:names", place, limit, self._schedule)
            case "workflow_outbox":
                return await self._outbox(place, limit)
            case _:
                return await self._lines(place, limit)

    async def _walk(
        self, index: str, place: str, limit: int, read: Callable[[str], Awaitable[StoredRow | None]]
    ) -> _Page:
        """What the members of a sorted set name; none that stays is left out."""
        there, found = await self.wire.call("ZSCAN", self.base + index, place or "0", "COUNT", limit)
        read_all = [await read(member.decode()) for member in dict.fromkeys(found[::2])]
        return [row for row in read_all if row is not None], _further(there)

    async def _of_instances(self, table: StoredTable, place: str, limit: int) -> _Page:
        portion = limit if table.name == "workflow_executions" else max(1, limit // 20)
        there, found = await self.wire.call("ZSCAN", f"{self.base}ids", place or "0", "COUNT", portion)
        rows: list[StoredRow] = []
        for member in dict.fromkeys(found[::2]):
            name, _, key = member.decode().rpartition(":")
            rows.extend(await self._of_instance(table, name, key))
        return rows, _further(there)

    async def _of_instance(self, table: StoredTable, name: str, key: str) -> Iterable[StoredRow]:
        match table.name:
            case "workflow_executions":
                revision, now = await self.wire.call("HMGET", f"{self.base}i:{key}", "revision", "now")
                return [] if now is None else [_row(name, (int(revision),), _now(key, now))]
            case "workflow_snapshots":
                found = await self.wire.call("HGETALL", f"{self.base}s:{key}")
                pairs = zip(found[::2], found[1::2], strict=True)
                return [
                    _row(name, (int(seq),), _Cell(f"s:{key}", seq.decode(), data, ("data",))) for seq, data in pairs
                ]
            case "workflow_audit_log":
                found = await self.wire.call("XRANGE", f"{self.base}l:{key}", "-", "+")
                return [_entry(name, f"l:{key}", number, data) for number, data in _entries(found)]
            case _:
                found = await self.wire.call("XRANGE", f"{self.base}q:{key}", "-", "+")
                return [_message(name, f"q:{key}", number, data) for number, data in _entries(found)]

    async def _task(self, member: str) -> StoredRow | None:
        name = member[48:]
        payload, progress = await self.wire.call("HMGET", f"{self.base}task:{name}", "payload", "progress")
        if payload is None:
            return None
        cells = [_Cell(f"task:{name}", "payload", payload, ("payload",))]
        if progress is not None:
            cells.append(_Cell(f"task:{name}", "progress", progress, ("progress",)))
        return _row(name, (), *cells)

    async def _document(self, name: str) -> StoredRow | None:
        data = await self.wire.call("HGET", f"{self.base}doc:{name}", "data")
        return None if data is None else _row(name, (), _Cell(f"doc:{name}", "data", data, ("data",)))

    async def _beat(self, name: str) -> StoredRow | None:
        data = await self.wire.call("HGET", f"{self.base}beat:{name}", "metadata")
        return None if data is None else _row(name, (), _Cell(f"beat:{name}", "metadata", data, ("metadata",)))

    async def _schedule(self, name: str) -> StoredRow | None:
        record = await self.wire.call("HGET", f"{self.base}sch:{name}", "record")
        if record is None:
            return None

        def values(data: bytes) -> dict[str, bytes | None]:
            (fields,), (text,) = packing.unpacked(data)
            return {"data": text, "note": fields["note"].encode("utf-8", "surrogatepass")}

        def changed(data: bytes, changes: Mapping[str, bytes | None]) -> bytes:
            (fields,), (text,) = packing.unpacked(data)
            if (note := changes.get("note")) is not None:
                fields["note"] = note.decode("utf-8", "surrogatepass")
            return packing.packed([fields], changes.get("data", text))

        return _row(name, (), _Cell(f"sch:{name}", "record", record, ("data", "note"), False, values, changed))

    async def _outbox(self, place: str, limit: int) -> _Page:
        found = await self.wire.call("XRANGE", f"{self.base}outbox", place or "-", "+", "COUNT", limit)
        rows = [_event(number, data) for number, data in _entries(found)]
        return rows, f"({found[-1][0].decode()}" if len(found) == limit else None

    async def _lines(self, place: str, limit: int) -> _Page:
        pattern = f"{self.base.translate(_GLOB)}lines:*"
        there, found = await self.wire.call("SCAN", place or "0", "MATCH", pattern, "COUNT", max(limit, 1000))
        rows: list[StoredRow] = []
        for key in dict.fromkeys(found):
            stream = key.decode()[len(self.base) :]
            whose = stream.removeprefix("lines:")
            entries = await self.wire.call("XRANGE", key, "-", "+")
            rows.extend(_line(whose, stream, number, data) for number, data in _entries(entries))
        return rows, _further(there)


def _further(place: bytes) -> str | None:
    return None if place == b"0" else place.decode()


def _entries(found: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    """The numbers and the records of entries of a stream."""
    for number, fields in found:
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        yield number.decode(), named[b"e"]


def _row(scope: str, details: tuple[object, ...], *cells: _Cell) -> StoredRow:
    values: dict[str, bytes | None] = {}
    for cell in cells:
        values.update(cell.values())
    return StoredRow(scope, details, values, list(cells))


def _of_parts(columns: Mapping[str, int], *texts: tuple[str, int]) -> Any:
    """How columns are taken out of a packed record, and put back: parts by their place, and texts by theirs."""

    def values(data: bytes) -> dict[str, bytes | None]:
        plain, parts = packing.unpacked(data)
        found = {name: parts[place] for name, place in columns.items()}
        return {**found, **{name: plain[place].encode("utf-8", "surrogatepass") for name, place in texts}}

    def changed(data: bytes, changes: Mapping[str, bytes | None]) -> bytes:
        plain, parts = packing.unpacked(data)
        for name, place in columns.items():
            parts[place] = changes.get(name, parts[place])
        for name, place in texts:
            if (text := changes.get(name)) is not None:
                plain[place] = text.decode("utf-8", "surrogatepass")
        return packing.packed(plain, *parts)

    return (tuple(columns) + tuple(name for name, _ in texts), values, changed)


_NOW: Final = _of_parts({"position": 0, "waiting_for": 2, "result": 3, "error": 4})
_LOG: Final = _of_parts({"delta": 0, "result": 1, "saga": 2, "error": 3, "position": 4}, ("note", 5))
_MESSAGE: Final = _of_parts({"payload": 0})
_LINE: Final = _of_parts({"metadata": 0}, ("message", 3))


def _cell(parts: Any, key: str, name: str, data: bytes, *, in_stream: bool = True) -> _Cell:
    columns, values, changed = parts
    return _Cell(key, name, data, columns, in_stream, values, changed)


def _now(key: str, data: bytes) -> _Cell:
    return _cell(_NOW, f"i:{key}", "now", data, in_stream=False)


def _entry(whose: str, key: str, number: str, data: bytes) -> StoredRow:
    return _row(whose, (packing.seq_of(number.encode()),), _cell(_LOG, key, number, data))


def _message(whose: str, key: str, number: str, data: bytes) -> StoredRow:
    (kind, name, marked, _, at_us), _ = packing.unpacked(data)
    return _row(whose, (kind, name, marked, at_us), _cell(_MESSAGE, key, number, data))


def _event(number: str, data: bytes) -> StoredRow:
    (topic, at_us, owner, key), _ = packing.unpacked(data)
    return _row(owner, (topic, key, at_us), _cell(_MESSAGE, "outbox", number, data))


def _line(whose: str, key: str, number: str, data: bytes) -> StoredRow:
    return _row(whose, (), _cell(_LINE, key, number, data))
