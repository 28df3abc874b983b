"""Bulk operations: one action on every instance that a filter finds, seen first and done with bounded concurrency.

A dry run says of each instance what would happen to it and what would be compensated. Doing it says what happened. What
an action does not fit (a cancel of an ended instance) is skipped; what fails is reported and stops nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never, final
from uuid import UUID

from ruvon._workflow import Workflow
from ruvon.engine import Engine, Run, WaitKind
from ruvon.engine._answers import encode_signal
from ruvon.engine._migrate import check_migration, migrate
from ruvon.engine._repair import audit_note, retry
from ruvon.engine._undo import open_entries
from ruvon.ir._canonical import digest
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter, PersistenceProvider, WorkflowNotFoundError, WorkflowSummary

__all__ = [
    "BulkAction",
    "BulkCancel",
    "BulkItem",
    "BulkMigrate",
    "BulkPurge",
    "BulkReport",
    "BulkRetry",
    "BulkRewind",
    "BulkSignal",
    "run_bulk",
]

_PAGE = 200
_FAILED = frozenset({"FAILED", "FAILED_CHILD_WORKFLOW", "FAILED_WORKER_CRASH"})


@final
@dataclass(frozen=True, slots=True)
class BulkCancel:
    """End every live instance."""

    compensate: bool = True
    """Undo what has completed, where saga mode is on."""


@final
@dataclass(frozen=True, slots=True)
class BulkRetry:
    """Bring every failed instance back and drive it as far as it goes now."""

    from_step: str | None = None
    """A step of the outermost list; the one that failed where none is given."""


@final
@dataclass(frozen=True, slots=True)
class BulkSignal:
    """Send a signal to every live instance."""

    message: object
    """The signal's model instance, or its type's name with the fields in `payload`."""
    payload: object = None
    key: str | None = None


@final
@dataclass(frozen=True, slots=True)
class BulkRewind:
    """Let every instance stand at the newest execution of a step again."""

    to: str
    """A step, or an activation."""
    state: Mapping[str, object] | None = None
    """Fields to go on with in place of those that it had then."""
    compensate: bool = True
    """Undo what completed since."""


@final
@dataclass(frozen=True, slots=True)
class BulkMigrate:
    """Let every waiting instance go on with another definition of its type, where its position and its values fit.

    Instances that have that definition already, and those of other types, are not looked at.
    """

    definition: Definition
    """The definition to go on with; it need not be registered."""


@final
@dataclass(frozen=True, slots=True)
class BulkPurge:
    """Delete every ended instance with all that belongs to it, but for those that a live parent may have to undo."""


BulkAction: TypeAlias = BulkCancel | BulkRetry | BulkSignal | BulkRewind | BulkMigrate | BulkPurge


@final
@dataclass(frozen=True, slots=True)
class BulkItem:
    """What happened, or would happen, to one instance."""

    workflow_id: str
    workflow_type: str
    workflow_version: str
    status: str
    """How it stood before; after the action where that was done."""
    outcome: str
    """`planned`, `done`, `skipped` or `failed`."""
    note: str = ""
    """Why it was skipped or failed."""
    undone: tuple[str, ...] = ()
    """Planned: the activations that would be compensated, in that order."""
    kept: tuple[str, ...] = ()
    """Planned rewind: the activations without compensation that would happen again."""
    reasons: tuple[str, ...] = ()
    """Skipped: each thing that stands against it."""


@final
@dataclass(frozen=True, slots=True)
class BulkReport:
    """What a bulk operation did, or would do."""

    items: tuple[BulkItem, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many instances had each outcome."""
        found: dict[str, int] = {}
        for item in self.items:
            found[item.outcome] = found.get(item.outcome, 0) + 1
        return found

    @property
    def reasons(self) -> Mapping[str, int]:
        """Why instances were skipped, and how many for each reason, most first."""
        return dict(Counter(reason for item in self.items for reason in item.reasons).most_common())

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return "failed" not in self.counts


@final
class _SkippedError(Exception):
    """The action does not fit the instance."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


async def run_bulk(
    engine: Engine,
    store: PersistenceProvider,
    wanted: InstanceFilter,
    action: BulkAction,
    *,
    dry_run: bool,
    limit: int | None,
    concurrency: int,
    note: tuple[str, str],
    told: Callable[[BulkItem], None] | None,
) -> BulkReport:
    """Do or plan an action on every instance that fits; `note` is who asks and why."""
    bulk = _Bulk(engine, store, action, *note)
    places = asyncio.Semaphore(concurrency)
    items: dict[int, BulkItem] = {}

    async def one(number: int, row: WorkflowSummary) -> None:
        try:
            items[number] = await (bulk.planned(row) if dry_run else bulk.done(row))
        finally:
            places.release()
        if told is not None:
            told(items[number])

    number = 0
    async with asyncio.TaskGroup() as tasks:
        async for row in _found(store, wanted, limit, bulk.concerns):
            await places.acquire()
            tasks.create_task(one(number, row))
            number += 1
    return BulkReport(tuple(items[place] for place in sorted(items)))


async def _found(
    store: PersistenceProvider,
    wanted: InstanceFilter,
    limit: int | None,
    concerns: Callable[[WorkflowSummary], bool],
) -> AsyncIterator[WorkflowSummary]:
    """Instances that fit, newest first; what the action makes is newer than the cursor, so it is not met."""
    after: tuple[int, int] | None = None
    left = limit
    while left is None or left > 0:
        rows = await store.find_instances(wanted, limit=min(_PAGE, left or _PAGE), after=after)
        concerned = [row for row in rows if concerns(row)]
        for row in concerned:
            yield row
        if not rows:
            return
        after = (rows[-1].created_us, rows[-1].key)
        left = left - len(concerned) if left is not None else None


@final
class _Bulk:
    """One action, on one instance after the other."""

    def __init__(self, engine: Engine, store: PersistenceProvider, action: BulkAction, actor: str, reason: str) -> None:
        self._engine = engine
        self._store = store
        self._action = action
        self._actor = actor
        self._reason = reason
        self._digest = digest(action.definition) if isinstance(action, BulkMigrate) else b""

    def concerns(self, row: WorkflowSummary) -> bool:
        """Whether the action has anything to say about an instance."""
        if not isinstance(self._action, BulkMigrate):
            return True
        return row.workflow_type == self._action.definition.workflow_type and row.digest != self._digest

    async def planned(self, row: WorkflowSummary) -> BulkItem:
        """What would happen to an instance."""
        try:
            self._require_fitting(row)
            undone, kept = await self._plan(row)
        except Exception as exc:  # noqa: BLE001 - one instance must not stop the others
            return _failed(row, exc)
        return _item(row, "planned", undone=tuple(undone), kept=tuple(kept))

    async def done(self, row: WorkflowSummary) -> BulkItem:
        """Do it."""
        try:
            self._require_fitting(row)
            status = await self._act(row)
        except Exception as exc:  # noqa: BLE001 - one instance must not stop the others
            return _failed(row, exc)
        return _item(row, "done", status=status)

    def _require_fitting(self, row: WorkflowSummary) -> None:
        ended = WorkflowStatus(row.status).is_terminal
        match self._action:
            case BulkCancel() | BulkSignal() | BulkMigrate() if ended:
                raise _SkippedError(f"it has ended ({row.status})")
            case BulkRetry() if row.status not in _FAILED:
                raise _SkippedError(f"it is {row.status}; only a failed one can be retried")
            case BulkPurge() if not ended:
                raise _SkippedError(f"it has not ended ({row.status})")
            case _:
                return

    # Planning

    async def _plan(self, row: WorkflowSummary) -> tuple[Iterable[str], Iterable[str]]:
        match self._action:
            case BulkCancel(compensate=compensate):
                return await self._undone_by_cancel(UUID(row.workflow_id), compensate=compensate), ()
            case BulkRewind(to=to, state=state, compensate=compensate):
                plan = await self._engine.plan_rewind(UUID(row.workflow_id), to, state=state)
                return (plan.undone if compensate else ()), plan.kept
            case BulkPurge():
                await self._require_no_live_parent(row.parent_id)
            case BulkSignal(message=message, payload=payload):
                await self._require_receiver(row, message, payload)
            case BulkMigrate(definition=definition):
                await self._require_movable(UUID(row.workflow_id), definition)
            case BulkRetry():
                await self._engine.load(await self._store.load_instance(UUID(row.workflow_id)))
            case _:
                assert_never(self._action)
        return (), ()

    async def _require_receiver(self, row: WorkflowSummary, message: object, payload: object) -> None:
        encode_signal(await self._engine.load(await self._store.load_instance(UUID(row.workflow_id))), message, payload)

    async def _require_movable(self, workflow_id: UUID, definition: Definition) -> None:
        found = await check_migration(self._engine, workflow_id, definition)
        if found.problems:
            raise _SkippedError(*found.problems)

    async def _undone_by_cancel(self, workflow_id: UUID, *, compensate: bool) -> list[str]:
        """What a cancel would compensate: of awaited children first, then its own."""
        run = await self._engine.load(await self._store.load_instance(workflow_id))
        undone: list[str] = []
        for step, child in _awaited(run):
            undone += [f"{step}/{item}" for item in await self._undone_by_cancel(child, compensate=compensate)]
        if compensate and run.record.saga_enabled:
            undone += [entry.activation for entry in reversed(await open_entries(run, 0))]
        return undone

    # Doing

    async def _act(self, row: WorkflowSummary) -> str:
        workflow_id = UUID(row.workflow_id)
        if isinstance(self._action, BulkPurge):
            return await self._purge(row)
        if isinstance(self._action, BulkRetry):
            step, note = self._action.from_step, audit_note(self._actor, self._reason)
            run = await self._engine.drive(workflow_id, prepare=lambda run: retry(run, step, note))
            return run.status.value
        if isinstance(self._action, BulkMigrate):
            return await self._migrate(workflow_id, self._action.definition)
        workflow = Workflow(self._engine, await self._engine.load(await self._store.load_instance(workflow_id)))
        match self._action:
            case BulkCancel(compensate=compensate):
                by = f" (by {self._actor})" if self._actor else ""
                await workflow.cancel(f"{self._reason}{by}".strip(), compensate=compensate)
            case BulkSignal(message=message, payload=payload, key=key):
                await workflow.signal(message, payload, key=key, actor=self._actor, reason=self._reason)
            case BulkRewind(to=to, state=state, compensate=compensate):
                await workflow.rewind(to, state=state, compensate=compensate, actor=self._actor, reason=self._reason)
            case _:
                assert_never(self._action)
        return workflow.status.value

    async def _migrate(self, workflow_id: UUID, definition: Definition) -> str:
        await self._require_movable(workflow_id, definition)
        program = self._engine.program_from(definition)
        await migrate(self._engine, workflow_id, program, actor=self._actor, reason=self._reason)
        return (await self._store.load_instance(workflow_id)).status

    async def _purge(self, row: WorkflowSummary) -> str:
        workflow_id = UUID(row.workflow_id)
        hold = await self._store.hold(workflow_id)
        try:
            now = await self._store.load_instance(workflow_id)
            if not WorkflowStatus(now.status).is_terminal:
                raise _SkippedError(f"it lives again ({now.status})")
            await self._require_no_live_parent(row.parent_id)
            await self._store.delete_workflow(workflow_id)
        finally:
            await hold.release()
        return row.status

    async def _require_no_live_parent(self, parent_id: str | None) -> None:
        while parent_id is not None:
            try:
                parent = await self._store.load_instance(UUID(parent_id))
            except WorkflowNotFoundError:
                return
            if not WorkflowStatus(parent.status).is_terminal:
                raise _SkippedError(f"{parent_id}, which started it, has not ended and may have to undo it")
            parent_id = str(parent.parent_id) if parent.parent_id is not None else None


def _awaited(run: Run) -> list[tuple[str, UUID]]:
    """The steps that wait for children, and the children."""
    waits = [strand.wait for strand in run.waiting.values()]
    return [
        (wait.node, UUID(wait.key))
        for wait in waits
        if wait is not None and wait.kind is WaitKind.CHILD and wait.key is not None
    ]


def _failed(row: WorkflowSummary, exc: Exception) -> BulkItem:
    if isinstance(exc, _SkippedError):
        return _item(row, "skipped", str(exc), reasons=exc.reasons)
    return _item(row, "failed", str(exc) if isinstance(exc, RuvonError) else f"{type(exc).__name__}: {exc}")


def _item(
    row: WorkflowSummary,
    outcome: str,
    note: str = "",
    *,
    status: str | None = None,
    undone: tuple[str, ...] = (),
    kept: tuple[str, ...] = (),
    reasons: tuple[str, ...] = (),
) -> BulkItem:
    return BulkItem(
        row.workflow_id,
        row.workflow_type,
        row.workflow_version,
        status or row.status,
        outcome,
        note,
        undone,
        kept,
        reasons,
    )
