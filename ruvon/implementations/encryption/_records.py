"""The records of the persistence seam, closed and opened: which fields hold values of the author's.

Ids, types, statuses, names, keys, moments and an instance's metadata stay in plain: stores look things up by them. What is
closed or opened is a copy, because the engine goes on using what it gave; what needs neither is given on as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final, cast, final

import orjson

from ruvon.implementations.encryption._box import Box, Place, described
from ruvon.implementations.persistence._rows import json_text
from ruvon.implementations.persistence._stored import (
    BEATS,
    DOCUMENTS,
    EXECUTIONS,
    INBOX,
    LINES,
    LOG,
    OUTBOX,
    SCHEDULES,
    SNAPSHOTS,
    TASKS,
)
from ruvon.providers import (
    DamagedDataError,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    ScheduleRecord,
    TaskClaim,
    TaskRecord,
    TaskReport,
    Transition,
    UnencryptedDataError,
)

__all__ = ["SEALED", "Records"]

SEALED: Final = "$sealed"
"""The key under which an encrypted object lies in a JSON object."""
_LABELS: Final = ("status", "workflow_type", "owner_id")
"""What of a document is listed by, and stays in plain."""
_ROW: Final = EXECUTIONS.name, SNAPSHOTS.name, LOG.name
_VALUES: Final = attrgetter(*(field.name for field in fields(Transition)))
_CRASHES: Final = b'{"crashes":'
"""So begins what stores themselves tell an instance, which no key is needed for."""


def _place(table: str, column: str, scope: object, *details: object) -> Place:
    return (table, column, scope, *details)


@final
class Records:
    """Closes and opens records with one box."""

    def __init__(self, box: Box) -> None:
        self.box = box

    # --- what transitions write ---------------------------------------------------------------------------------------

    def transition(self, made: Transition) -> Transition:
        """A transition with everything in it closed."""
        if self.box.key_id is None:
            return made
        whose, revision = str(made.workflow_id), made.revision
        closed = Transition(*_VALUES(made))  # `replace` takes three times as long, and this is the hot path
        closed.position = self.box.seal(made.position, (_ROW[0], "position", whose, revision))
        closed.waiting_for = self._sealed(made.waiting_for, _ROW[0], "waiting_for", whose, revision)
        closed.result = self._sealed(made.result, _ROW[0], "result", whose, revision)
        closed.error = self._sealed(made.error, _ROW[0], "error", whose, revision)
        closed.snapshot = self._sealed(made.snapshot, _ROW[1], "data", whose, made.last_seq)
        closed.entries = [self._entry(entry, whose) for entry in made.entries]
        if made.sent:
            closed.sent = tuple(map(self.message, made.sent))
        if made.tasks:
            closed.tasks = tuple(map(self.task, made.tasks))
        if made.outbox:
            closed.outbox = tuple(self._event(event, whose) for event in made.outbox)
        if made.created:
            closed.created = tuple(map(self.new_instance, made.created))
        if made.schedules:
            closed.schedules = tuple(map(self.schedule, made.schedules))
        return closed

    def new_instance(self, record: InstanceRecord) -> InstanceRecord:
        """The row of a new instance."""
        whose = str(record.workflow_id)
        return replace(record, **self._row(self._sealed, record, whose))

    def _entry(self, entry: LogEntry, whose: str) -> LogEntry:
        box, seq = self.box, entry.seq
        return LogEntry(
            seq,
            entry.kind,
            entry.node,
            entry.activation,
            entry.at_us,
            entry.attempt,
            box.seal(entry.delta, (_ROW[2], "delta", whose, seq)),
            self._sealed(entry.result, _ROW[2], "result", whose, seq),
            self._sealed(entry.saga, _ROW[2], "saga", whose, seq),
            self._sealed(entry.error, _ROW[2], "error", whose, seq),
            box.seal_text(entry.note, (_ROW[2], "note", whose, seq)),
            box.seal(entry.position, (_ROW[2], "position", whose, seq)),
        )

    def _event(self, event: OutboxRecord, whose: str) -> OutboxRecord:
        owner = str(event.workflow_id) if event.workflow_id is not None else whose
        place = _place(OUTBOX.name, "payload", owner, event.topic, event.key, event.at_us)
        return replace(event, payload=self.box.seal(event.payload, place))

    def message(self, entry: InboxEntry) -> InboxEntry:
        """A message to an instance."""
        if self.box.key_id is None:
            return entry
        return replace(entry, payload=self.box.seal(entry.payload, _message_place(entry)))

    def task(self, task: TaskRecord) -> TaskRecord:
        """A task of the queue."""
        return replace(
            task,
            payload=self.box.seal(task.payload, _place(TASKS.name, "payload", task.task_id)),
            progress=self._sealed(task.progress, TASKS.name, "progress", task.task_id),
        )

    def claim(self, claim: TaskClaim) -> TaskClaim:
        """A claim that may tell of progress."""
        if claim.progress is None:
            return claim
        return replace(claim, progress=self._sealed(claim.progress, TASKS.name, "progress", claim.task_id))

    def report(self, report: TaskReport) -> TaskReport:
        """What a worker reports."""
        return report if report.entry is None else replace(report, entry=self.message(report.entry))

    def schedule(self, record: ScheduleRecord) -> ScheduleRecord:
        """A schedule."""
        name = record.schedule_id
        return replace(
            record,
            data=self.box.seal(record.data, _place(SCHEDULES.name, "data", name)),
            note=self.box.seal_text(record.note, _place(SCHEDULES.name, "note", name)),
        )

    # --- what is read -------------------------------------------------------------------------------------------------

    def opened_instance(self, record: InstanceRecord) -> InstanceRecord:
        """The row of an instance."""
        return replace(record, **self._row(self._opened, record, str(record.workflow_id)))

    def opened_entry(self, entry: LogEntry, whose: str) -> LogEntry:
        """An entry of a log."""
        box, seq = self.box, entry.seq
        return LogEntry(
            seq,
            entry.kind,
            entry.node,
            entry.activation,
            entry.at_us,
            entry.attempt,
            box.open(entry.delta, (_ROW[2], "delta", whose, seq)),
            self._opened(entry.result, _ROW[2], "result", whose, seq),
            self._opened(entry.saga, _ROW[2], "saga", whose, seq),
            self._opened(entry.error, _ROW[2], "error", whose, seq),
            box.open_text(entry.note, (_ROW[2], "note", whose, seq)),
            box.open(entry.position, (_ROW[2], "position", whose, seq)),
        )

    def opened_snapshot(self, data: bytes, whose: str, seq: int) -> bytes:
        """A full state."""
        return self.box.open(data, (_ROW[1], "data", whose, seq))

    def opened_message(self, entry: InboxEntry) -> InboxEntry:
        """A message; what a store itself tells of dead workers is in plain."""
        if entry.kind is InboxKind.TASK_RESULT and entry.payload.startswith(_CRASHES):
            return entry
        return replace(entry, payload=self.box.open(entry.payload, _message_place(entry)))

    def opened_task(self, task: TaskRecord) -> TaskRecord:
        """A task."""
        payload = self.box.open(task.payload, _place(TASKS.name, "payload", task.task_id))
        progress = self._opened(task.progress, TASKS.name, "progress", task.task_id)
        if payload is task.payload and progress is task.progress:
            return task
        return replace(task, payload=payload, progress=progress)

    def opened_event(self, event: OutboxRecord) -> OutboxRecord:
        """An event."""
        owner = str(event.workflow_id) if event.workflow_id is not None else None
        place = _place(OUTBOX.name, "payload", owner, event.topic, event.key, event.at_us)
        return replace(event, payload=self.box.open(event.payload, place))

    def opened_schedule(self, record: ScheduleRecord) -> ScheduleRecord:
        """A schedule."""
        name = record.schedule_id
        return replace(
            record,
            data=self.box.open(record.data, _place(SCHEDULES.name, "data", name)),
            note=self.box.open_text(record.note, _place(SCHEDULES.name, "note", name)),
        )

    # --- what applications keep beside, as dictionaries ---------------------------------------------------------------

    def document(self, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """A dictionary of the caller's own; what it is listed by stays in plain."""
        if self.box.key_id is None:
            return dict(data)
        labels = {label: data[label] for label in _LABELS if data.get(label) is not None}
        return {**labels, SEALED: self.box.seal_text(json_text(dict(data)), _place(DOCUMENTS.name, "data", name))}

    def opened_document(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """The same, opened."""
        return self._object(data, _place(DOCUMENTS.name, "data", name))

    def message_of_line(self, name: str, text: str) -> str:
        """The text of a line of text log."""
        return self.box.seal_text(text, _place(LINES.name, "message", name))

    def metadata(self, table: str, name: str, data: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The metadata of a line or of a heartbeat."""
        if not data or self.box.key_id is None:
            return dict(data) if data is not None else None
        return {SEALED: self.box.seal_text(json_text(dict(data)), _place(table, "metadata", name))}

    def opened_line(self, row: dict[str, Any]) -> dict[str, Any]:
        """A line of text log."""
        name = str(row["workflow_id"])
        return {
            **row,
            "message": self.box.open_text(row["message"], _place(LINES.name, "message", name)),
            "metadata": self._object(row["metadata"], _place(LINES.name, "metadata", name)),
        }

    def opened_beat(self, row: dict[str, Any]) -> dict[str, Any]:
        """A heartbeat."""
        return {**row, "metadata": self._object(row["metadata"], _place(BEATS.name, "metadata", row["workflow_id"]))}

    def opened_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of an instance as a dictionary."""
        whose, opened = str(row["workflow_id"]), dict(row)
        for column in EXECUTIONS.columns:
            opened[column] = self._opened(row[column], _ROW[0], column, whose, row["revision"])
        if row.get("snapshot"):
            opened["snapshot"] = self.opened_snapshot(row["snapshot"], whose, row["snapshot_seq"])
        return opened

    def opened_log_rows(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of logs as dictionaries."""
        found: list[dict[str, Any]] = []
        for row in rows:
            whose, opened = str(row["workflow_id"]), dict(row)
            for column in ("delta", "result", "saga", "error", "position"):
                opened[column] = self._opened(row[column], _ROW[2], column, whose, row["seq"])
            opened["note"] = self.box.open_text(row["note"], (_ROW[2], "note", whose, row["seq"]))
            found.append(opened)
        return found

    # --- their parts --------------------------------------------------------------------------------------------------

    def _sealed(self, data: bytes | None, *place: object) -> bytes | None:
        return None if data is None else self.box.seal(data, place)

    def _opened(self, data: bytes | None, *place: object) -> bytes | None:
        return None if data is None else self.box.open(data, place)

    @staticmethod
    def _row(change: Any, record: InstanceRecord, whose: str) -> dict[str, Any]:
        """The fields of a row and its snapshot, changed one way or the other."""
        found = {
            name: change(getattr(record, name), _ROW[0], name, whose, record.revision) for name in EXECUTIONS.columns
        }
        return {**found, "snapshot": change(record.snapshot, _ROW[1], "data", whose, record.snapshot_seq)}

    def _object(self, data: dict[str, Any], place: Place) -> dict[str, Any]:
        sealed = data.get(SEALED)
        if isinstance(sealed, str) and Box.is_marked(sealed):
            return cast("dict[str, Any]", orjson.loads(self.box.open_text(sealed, place)))
        if any(isinstance(value, str) and Box.is_marked(value) for value in data.values()):
            raise DamagedDataError(described(place))
        if data and self.box.required:
            raise UnencryptedDataError(described(place))
        return data


def _message_place(entry: InboxEntry) -> Place:
    return _place(INBOX.name, "payload", str(entry.workflow_id), entry.kind.value, entry.name, entry.key, entry.at_us)
