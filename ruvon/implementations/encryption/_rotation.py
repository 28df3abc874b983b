"""Rotation: everything in a store under the current key, whichever key it is under now, or none.

The store may be in use. Each row is written only where it still is what was read, so a commit in between is never lost:
that row is new anyway, or is taken in the next pass. A pass that finds nothing to do proves the end. A rotation that was
killed leaves rows of both kinds, which is what the keys are for; the next one goes on with what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast, final

import orjson

from ruvon.implementations.encryption._box import Box, Place
from ruvon.implementations.encryption._records import SEALED, Records
from ruvon.providers import EncryptionError
from ruvon.providers.encryption import Form, ResealableStore, StoredRow, StoredTable, key_id_of

__all__ = ["Rotation", "RotationReport", "TableCount"]

_MOST_PASSES: Final = 6
_MOST_PROBLEMS: Final = 20


@dataclass(slots=True)
class TableCount:
    """What one pass found in one table, in values; `changed` and `missed` count rows."""

    rows: int = 0
    current: int = 0
    """As they should be."""
    outdated: int = 0
    """Under another key than the current one; when decrypting, under any."""
    plain: int = 0
    """Not encrypted, and to be."""
    unreadable: int = 0
    """They stay as they are."""
    changed: int = 0
    missed: int = 0
    """Changed by somebody else meanwhile; the next pass looks at them again."""


@dataclass(slots=True)
class RotationReport:
    """How far a rotation is, or how it ended."""

    key_id: str
    passes: int = 0
    tables: dict[str, TableCount] = field(default_factory=dict[str, TableCount])
    """Of the first pass, with the rows that any pass changed."""
    by_key: dict[str, int] = field(default_factory=dict[str, int])
    """Values found in the first pass under each key; "" stands for none."""
    left: int = 0
    """Values that the last pass still found to be changed: another process writes with another key."""
    problems: list[str] = field(default_factory=list[str])
    """Why values are unreadable; the first of them."""

    @property
    def unreadable(self) -> int:
        """Values that could not be read."""
        return sum(count.unreadable for count in self.tables.values())

    @property
    def to_change(self) -> int:
        """Values that the first pass found to be changed."""
        return sum(count.outdated + count.plain for count in self.tables.values())


@final
class Rotation:
    """One rotation.

    Args:
        store: the store, open; it may be in use.
        box: opens with any key, and closes with the current one.
        decrypt: write everything in plain instead.
        dry_run: count, and change nothing.
        batch: rows in one transaction.
        told: told of the report after each batch.
    """

    def __init__(
        self,
        store: ResealableStore,
        box: Box,
        *,
        decrypt: bool = False,
        dry_run: bool = False,
        batch: int = 200,
        told: Callable[[RotationReport], None] | None = None,
    ) -> None:
        self._store = store
        self._box = box
        self._decrypt = decrypt
        self._dry_run = dry_run
        self._batch = batch
        self._told = told
        self.report = RotationReport("" if decrypt else box.key_id or "")

    async def run(self) -> RotationReport:
        """Do it; what is left after the last pass is in the report.

        Raises:
            PersistenceError: the store failed; what was changed so far stays changed, and running again goes on.
        """
        for _ in range(1 if self._dry_run else _MOST_PASSES):
            self.report.passes += 1
            self.report.left = 0
            for table in self._store.stored_tables:
                await self._pass(table)
            if not self.report.left:
                break
        return self.report

    async def _pass(self, table: StoredTable) -> None:
        count = TableCount()
        self.report.tables.setdefault(table.name, count)
        after: object = None
        while True:
            rows, after = await self._store.read_stored(table, after=after, limit=self._batch)
            swaps = [(row, changes) for row in rows if (changes := self._changes(table, row, count))]
            if swaps and not self._dry_run:
                done = await self._store.swap_stored(table, swaps)
                self.report.tables[table.name].changed += done
                self.report.tables[table.name].missed += len(swaps) - done
            if self._told is not None:
                self._told(self.report)
            if after is None:
                break
        self.report.left += count.outdated + count.plain

    def _changes(self, table: StoredTable, row: StoredRow, count: TableCount) -> dict[str, bytes | None]:
        """The new values of the columns that need one."""
        count.rows += 1
        changes: dict[str, bytes | None] = {}
        for column, form in table.columns.items():
            value = row.values.get(column)
            if not value:
                continue
            place = (table.name, column, row.scope, *row.details)
            try:
                _Value(self, count, form, value, place).renew(changes, column)
            except EncryptionError as exc:
                count.unreadable += 1
                if self.report.passes == 1 and len(self.report.problems) < _MOST_PROBLEMS:
                    self.report.problems.append(str(exc))
        return changes

    def counted(self, count: TableCount, key_id: str | None) -> bool:
        """Count a value; whether it is to be changed."""
        if self.report.passes == 1:
            self.report.by_key[key_id or ""] = self.report.by_key.get(key_id or "", 0) + 1
        if (key_id is None) if self._decrypt else (key_id == self._box.key_id):
            count.current += 1
            return False
        if key_id is None:
            count.plain += 1
        else:
            count.outdated += 1
        return True

    @property
    def decrypts(self) -> bool:
        """Everything becomes plain."""
        return self._decrypt

    @property
    def box(self) -> Box:
        """What opens and closes."""
        return self._box


@final
@dataclass(slots=True)
class _Value:
    """One value of a row."""

    rotation: Rotation
    count: TableCount
    form: Form
    value: bytes
    place: Place

    def renew(self, changes: dict[str, bytes | None], column: str) -> None:
        """Put the new value among the changes, where there is to be one."""
        match self.form:
            case Form.BYTES:
                found = self._bytes()
            case Form.TEXT:
                found = self._text(_text(self.value))
            case Form.PICTURE:
                if not self.rotation.decrypts and self.rotation.counted(self.count, None):
                    changes[column] = None
                return
            case Form.DOCUMENT | Form.METADATA:
                found = self._object()
        if found is not None:
            changes[column] = found

    def _bytes(self) -> bytes | None:
        box, key_id = self.rotation.box, key_id_of(self.value)
        if key_id == box.key_id and not self.rotation.decrypts:
            self.rotation.counted(self.count, key_id)
            return None
        opened = box.open(self.value, self.place)
        if not self.rotation.counted(self.count, key_id):
            return None
        return opened if self.rotation.decrypts else box.seal(opened, self.place)

    def _text(self, text: str) -> bytes | None:
        box = self.rotation.box
        key_id = key_id_of(box.envelope_in(text, self.place))
        if key_id == box.key_id and not self.rotation.decrypts:
            self.rotation.counted(self.count, key_id)
            return None
        opened = box.open_text(text, self.place)
        if not self.rotation.counted(self.count, key_id):
            return None
        return _encoded(opened if self.rotation.decrypts else box.seal_text(opened, self.place))

    def _object(self) -> bytes | None:
        data = cast("dict[str, Any]", orjson.loads(self.value))
        sealed: object = data.get(SEALED)
        if isinstance(sealed, str) and Box.is_marked(sealed):
            found = self._text(sealed)
            if found is None or self.rotation.decrypts:
                return found
            return orjson.dumps({**data, SEALED: _text(found)})
        if not data or not self.rotation.counted(self.count, None):
            return None
        records, scope = Records(self.rotation.box), str(self.place[2])
        if self.form is Form.DOCUMENT:
            return orjson.dumps(records.document(scope, data))
        return orjson.dumps(records.metadata(str(self.place[0]), scope, data))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
