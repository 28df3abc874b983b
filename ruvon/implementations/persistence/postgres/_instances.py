"""New instances and their definitions, and their deletion with all that belongs to them."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._projection import state_text
from ruvon.providers.persistence import (
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    InstanceRecord,
    PersistenceError,
    StaleWorkflowError,
)

__all__ = ["Group", "Ids", "columns", "delete_workflows", "insert_definitions", "insert_groups", "numbers", "words"]

_BLOCK: Final = 512
_INSTANCE_COLUMNS: Final = 30


class Ids:
    """Ids of log entries and snapshots, taken from the sequences in blocks: rows are chained before they are written."""

    def __init__(self, stored: set[bytes] | None = None) -> None:
        self._logs: deque[int] = deque()
        self._snapshots: deque[int] = deque()
        self.stored = set[bytes]() if stored is None else stored
        """Digests of definitions that are known to be in the database, where they stay for good."""

    async def reserve(self, connection: Connection, *, logs: int, snapshots: int, exactly: bool = False) -> None:
        """See to it that so many ids are at hand; what is not used is lost, so who needs few says `exactly`."""
        least = 0 if exactly else _BLOCK
        await _fill(connection, self._logs, logs, least, sql.LOG_IDS)
        await _fill(connection, self._snapshots, snapshots, least, sql.SNAPSHOT_IDS)

    def next_log(self) -> int:
        """The id of a log entry."""
        return self._logs.popleft()

    def next_snapshot(self) -> int:
        """The id of a snapshot."""
        return self._snapshots.popleft()


async def _fill(connection: Connection, ids: deque[int], wanted: int, least: int, statement: str) -> None:
    if wanted > len(ids):
        ids.extend(row["id"] for row in await connection.fetch(statement, max(wanted, least)))


@dataclass(frozen=True, slots=True)
class Group:
    """Instances that are inserted together or not at all."""

    records: Sequence[InstanceRecord]
    left_alone: bool
    """One whose id exists may stay as it is."""


def columns(lines: Sequence[Sequence[object]], count: int) -> list[Sequence[object]]:
    """Rows as arrays, one for each of `count` columns; empty where all is null, for `unnest` fills the shorter ones up."""
    if not lines:
        return [()] * count
    length = len(lines)
    return [() if column[0] is None and column.count(None) == length else column for column in zip(*lines, strict=True)]


def numbers(column: Sequence[object]) -> str:
    """Numbers or truth values as the text of an array."""
    return f"{{{','.join(map(str, column))}}}".replace("None", "NULL")


def words(column: Sequence[str | None]) -> str:
    """Texts as the text of an array."""
    if not column:
        return "{}"
    try:
        joined = '","'.join(cast("Sequence[str]", column))  # one with a null is told by the error
    except TypeError:
        return _quoted(column)
    if "\\" in joined or joined.count('"') != 2 * (len(column) - 1):
        return _quoted(column)
    return f'{{"{joined}"}}'


def _quoted(column: Sequence[str | None]) -> str:
    made = ("NULL" if text is None else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"' for text in column)
    return f"{{{','.join(made)}}}"


async def insert_groups(connection: Connection, groups: Sequence[Group], ids: Ids) -> list[PersistenceError | None]:
    """Insert the instances of all groups; the answer of each. A refused group leaves no trace."""
    records = [record for group in groups for record in group.records]
    values = [
        (
            *rows.instance_values(record, ids.next_snapshot()),
            state_text(record.snapshot),
            record.snapshot_seq,
            record.snapshot,
        )
        for record in records
    ]
    found = await connection.fetch(sql.INSERT_INSTANCES, *columns(values, _INSTANCE_COLUMNS))
    keys = {str(row["id"]): int(row["key"]) for row in found}
    known = await _known(connection, [str(item.workflow_id) for item in records if str(item.workflow_id) not in keys])
    answers: list[PersistenceError | None] = []
    refused: list[str] = []
    for group in groups:
        answer = None
        for record in group.records:
            answer = answer or await _settle(connection, record, keys, known, left_alone=group.left_alone)
        answers.append(answer)
        if answer is not None:
            refused += [name for record in group.records if (name := str(record.workflow_id)) in keys]
    if refused:
        gone = await connection.fetch(sql.DELETED_HEADS, refused)
        await connection.execute(sql.DROP_SNAPSHOTS, [row["snapshot_head"] for row in gone])
    return answers


async def _known(connection: Connection, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    return {str(row["id"]): int(row["key"]) for row in await connection.fetch(sql.KEYS_OF, names)}


async def _settle(
    connection: Connection, record: InstanceRecord, keys: dict[str, int], known: dict[str, int], *, left_alone: bool
) -> PersistenceError | None:
    """Take over the key of an instance, or say why it was not inserted."""
    name = str(record.workflow_id)
    if name in keys:
        record.key = keys[name]
        return None
    if name in known:
        if not left_alone:
            return StaleWorkflowError(record.workflow_id)
        record.key = known[name]
        return None
    key = record.idempotency_key or ""
    taken = await connection.fetchval(sql.ID_BY_IDEMPOTENCY, key)
    return DuplicateIdempotencyKeyError(key, UUID(taken) if taken is not None else None)


async def insert_definitions(connection: Connection, stored: Iterable[tuple[DefinitionRecord, int]]) -> None:
    """Store definitions that are not known yet, each with the moment at which it is stored."""
    values = [
        (item.digest, item.workflow_type, item.workflow_version, item.text, item.stored_us or at_us)
        for item, at_us in stored
    ]
    if values:
        await connection.execute(sql.INSERT_DEFINITIONS, *columns(values, 5))


async def delete_workflows(connection: Connection, names: list[str]) -> set[str]:
    """Delete instances and stored dictionaries; the ids of those that there were."""
    heads = await connection.fetch(sql.DELETED_HEADS, names)
    if heads:
        await connection.execute(sql.DROP_LOGS, [row["log_head"] for row in heads if row["log_head"] is not None])
        await connection.execute(
            sql.DROP_SNAPSHOTS, [row["snapshot_head"] for row in heads if row["snapshot_head"] is not None]
        )
    for statement in sql.DELETE_BESIDE:
        await connection.execute(statement, names)
    documents = await connection.fetch(sql.DELETE_DOCUMENTS, names)
    return {str(row["id"]) for row in (*heads, *documents)}
