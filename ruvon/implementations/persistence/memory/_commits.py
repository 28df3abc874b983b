"""Transitions: checked first and written after, so that one that is refused leaves no trace."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from ruvon.implementations.persistence._schedules import registered
from ruvon.implementations.persistence.memory._tables import Tables
from ruvon.providers import (
    DefinitionNotFoundError,
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    HistoryForgottenError,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    StaleWorkflowError,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Commits"]


class Commits(Tables):
    """The engine's part: one transition in, rows and logs out."""

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all."""
        creates = transition.expected < 0
        if not creates and self._row(transition.workflow_id).revision != transition.expected:
            raise StaleWorkflowError(transition.workflow_id)
        if transition.created:
            self._check_new(transition.created, left_alone=not creates)
        if not creates:
            self._write_row(transition)
        if transition.created or transition.definitions:
            self._insert(transition.created, transition.definitions, transition.at_us)
        await self._write_beside(transition)

    def _write_row(self, transition: Transition) -> None:
        key = transition.workflow_id
        log, snapshots = self._logs[key], self._snapshots[key]
        if transition.drop_log:
            log.clear()
            snapshots.clear()
        self._update(self._rows[key], transition)
        log.extend(transition.entries)
        if transition.snapshot is not None:
            snapshots.append((transition.last_seq, transition.snapshot))
        if transition.forget_before:
            _forget(log, snapshots, transition.forget_before)
        if transition.consumed:
            self._consume(transition)

    async def _write_beside(self, transition: Transition) -> None:
        for task in transition.tasks:
            known = self._tasks.get(task.task_id)
            key = known.key if known is not None else f"{next(self._task_keys):015d}"
            self._tasks[task.task_id] = replace(task, key=key)
        for task_id in transition.tasks_done:
            self._tasks.pop(task_id, None)
        for event in transition.outbox:
            owner = event.workflow_id or transition.workflow_id
            self.outbox.append(replace(event, workflow_id=owner, id=next(self._events)))
        for schedule in transition.schedules:
            name = schedule.schedule_id
            self._schedules[name] = registered(self._schedules.get(name), schedule, transition.at_us)
        for entry in transition.sent:
            if entry.workflow_id in self._rows:
                await self.append_inbox(entry)

    @staticmethod
    def _update(row: InstanceRecord, transition: Transition) -> None:
        row.revision = transition.revision
        row.transition_id = transition.transition_id
        row.status = transition.status
        row.position = transition.position
        row.current_step = transition.current_step
        row.waiting_for = transition.waiting_for
        row.due_us = transition.due_us
        row.saga_enabled = transition.saga_enabled
        row.last_seq = transition.last_seq
        row.updated_us = transition.at_us
        row.result = transition.result
        row.error = transition.error
        if transition.snapshot is not None:
            row.snapshot = transition.snapshot
            row.snapshot_seq = transition.last_seq
        if transition.digest is not None:
            row.digest = transition.digest
            row.workflow_version = transition.workflow_version or row.workflow_version

    def _consume(self, transition: Transition) -> None:
        gone = set(transition.consumed)
        inbox = self._inboxes.get(transition.workflow_id, [])
        inbox[:] = [entry for entry in inbox if entry.seq not in gone]

    def _check_new(self, records: Iterable[InstanceRecord], *, left_alone: bool) -> None:
        """Raise where an instance cannot be inserted; `left_alone` says whether one that exists may stay as it is."""
        taken = dict(self._by_key)
        for record in records:
            if record.workflow_id in self._rows:
                if not left_alone:
                    raise StaleWorkflowError(record.workflow_id)
            elif record.idempotency_key is not None:
                if record.idempotency_key in taken:
                    raise DuplicateIdempotencyKeyError(record.idempotency_key, taken[record.idempotency_key])
                taken[record.idempotency_key] = record.workflow_id

    def _insert(self, records: Iterable[InstanceRecord], definitions: Iterable[DefinitionRecord], at_us: int) -> None:
        for definition in definitions:
            self._define(definition, at_us)
        for record in records:
            if record.workflow_id in self._rows:
                record.key = self._rows[record.workflow_id].key
                continue
            record.key = next(self._keys)
            self._rows[record.workflow_id] = replace(record)
            self._logs[record.workflow_id] = []
            self._snapshots[record.workflow_id] = [(record.snapshot_seq, record.snapshot)]
            if record.idempotency_key is not None:
                self._by_key[record.idempotency_key] = record.workflow_id

    def _define(self, record: DefinitionRecord, at_us: int) -> None:
        if record.digest not in self._definitions:
            self._definitions[record.digest] = replace(record, stored_us=record.stored_us or at_us)

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """A copy of the row."""
        return replace(self._row(workflow_id))

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        found = self._by_key.get(key)
        return replace(self._rows[found]) if found is not None else None

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries in order."""
        log = self._logs.get(workflow_id)
        if log is None:
            raise WorkflowNotFoundError(workflow_id)
        found = log[bisect_right(log, after, key=_seq) :]
        if saga:
            found = [entry for entry in found if _is_saga(entry)]
        return found[:limit] if limit is not None else found

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest snapshot as of `at` or earlier."""
        self._row(workflow_id)
        for seq, data in reversed(self._snapshots[workflow_id]):
            if seq <= at:
                return seq, data
        raise HistoryForgottenError(workflow_id, at)

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message, once per dedup key."""
        self._row(entry.workflow_id)
        if entry.dedup is not None:
            known = self._dedups.setdefault(entry.workflow_id, set())
            if entry.dedup in known:
                return False
            known.add(entry.dedup)
        entry.seq = next(self._sequence)
        self._inboxes.setdefault(entry.workflow_id, []).append(entry)
        holder = self._holds.get(entry.workflow_id)
        if holder is not None:
            holder.tell()
        return True

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet."""
        return [replace(entry) for entry in self._inboxes.get(workflow_id, ()) if entry.seq > after]

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition."""
        self._define(record, self._clock.now_us())

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """A definition by its digest."""
        found = self._definitions.get(digest)
        if found is None:
            raise DefinitionNotFoundError(digest)
        return found


def _seq(entry: LogEntry) -> int:
    return entry.seq


def _is_saga(entry: LogEntry) -> bool:
    return entry.saga is not None or entry.kind == "compensate"


def _forget(log: list[LogEntry], snapshots: list[tuple[int, bytes]], before: int) -> None:
    """Drop what is older, but nothing that loading needs."""
    newest = snapshots[-1][0]
    first = min(before, newest + 1, log[-1].seq if log else 0)
    log[:] = [entry for entry in log if entry.seq >= first or _is_saga(entry)]
    snapshots[:] = [item for item in snapshots if item[0] >= min(before, newest)]
