"""The records that cross the persistence seam: what the engine commits and what it reads back.

One `Transition` is the only way a workflow changes. It is either written completely (row, log, inbox, tasks, outbox,
children) or not at all. Everything that is a value of the author's is bytes of the value codec: a store keeps them as
they are and never looks inside. Records are slotted and mutable only where a store fills in its own integer keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

__all__ = [
    "DefinitionRecord",
    "InboxEntry",
    "InboxKind",
    "InstanceFilter",
    "InstanceRecord",
    "LogEntry",
    "OutboxRecord",
    "ScheduleRecord",
    "TaskKind",
    "TaskRecord",
    "Transition",
    "WorkflowSummary",
]


class InboxKind(StrEnum):
    """What an inbox entry tells the holder of an instance."""

    SIGNAL = "signal"
    ANSWER = "answer"
    TASK_RESULT = "task_result"
    CHILD_ENDED = "child_ended"
    CHILD_STATUS = "child_status"
    TIMER = "timer"
    CANCEL = "cancel"
    REPAIR = "repair"


class TaskKind(StrEnum):
    """What a task of the durable queue is for."""

    STEP = "step"
    WAKE = "wake"
    TIMER = "timer"
    CRON = "cron"


@dataclass(slots=True)
class LogEntry:
    """One row of an instance's append-only log: audit, history, saga log and state delta in one."""

    seq: int
    """Position in the instance's log, from 1, without gaps."""
    kind: str
    """What happened: `step`, `wait`, `start`, `retry`, `error`, `compensate`, `advance`, `repair` or `end`."""
    node: str
    """The id of the node, or "" where none is concerned."""
    activation: str
    """Node id, loop indices, branch labels and visit: the identity of this execution of the node."""
    at_us: int
    """When it was recorded, in microseconds since the Unix epoch."""
    attempt: int = 1
    delta: bytes = b""
    """What changed in state and variables, as encoded by the engine."""
    result: bytes | None = None
    """The encoded result."""
    saga: bytes | None = None
    """What a compensation needs, where the step has one."""
    error: bytes | None = None
    """The encoded error record of a failed attempt."""
    note: str = ""
    """A word for people: the reason of a cancel, the route taken."""
    position: bytes = b""
    """The position after the transition that wrote it; only on a transition's last entry, b"" on the others."""


@dataclass(slots=True)
class InboxEntry:
    """A message to an instance, appended by anybody, consumed by its holder in order of `seq`."""

    workflow_id: UUID
    kind: InboxKind
    name: str
    """The signal's type text, the wait id an answer is for, or the activation that waits."""
    payload: bytes
    """The encoded message."""
    key: str | None = None
    """The signal's key, the task's or child's id."""
    dedup: str | None = None
    """The sender's key: a second entry with the same one is dropped."""
    at_us: int = 0
    seq: int = 0
    """Given by the store."""


@dataclass(slots=True)
class TaskRecord:
    """One entry of the durable queue."""

    task_id: str
    workflow_id: UUID
    kind: TaskKind
    activation: str
    queue: str = "default"
    available_us: int = 0
    """Not to be claimed before this moment."""
    priority: int = 0
    """Larger is sooner."""
    payload: bytes = b""
    attempt: int = 1
    status: str = "pending"
    worker_id: str | None = None
    lease_epoch: int = 0
    """Raised with each claim; a worker with an older one cannot report."""
    lease_us: int = 0
    """When the claim runs out."""
    crashes: int = 0
    """So many workers have died over it."""
    progress: bytes | None = None
    """JSON of what its body told last with `heartbeat`."""
    concurrency_key: str | None = None
    """So many of its queue with this key run at a time as the queue's limits say; None: no such limit."""
    key: str = field(default="", compare=False)
    """What the store orders tasks of one priority and moment by, where that is not their id; given by `find_tasks`."""

    @property
    def place(self) -> tuple[int, int, str]:
        """Its place in the lists of its store."""
        return self.priority, self.available_us, self.key or self.task_id


@dataclass(slots=True)
class OutboxRecord:
    """An event to be published after the commit that wrote it."""

    topic: str
    payload: bytes
    """JSON of the event, masked."""
    at_us: int = 0
    workflow_id: UUID | None = None
    """Whose event it is; where it is None, the store takes the transition's."""
    key: str = ""
    """The activation that published it: consumers drop a second event with the same id and key."""
    id: int = 0
    """Given by the store; rises with every event."""


@dataclass(slots=True)
class DefinitionRecord:
    """One version of a workflow, stored once per digest."""

    digest: bytes
    workflow_type: str
    workflow_version: str
    text: bytes
    """Canonical JSON of the linked definition with everything beside the digest."""
    stored_us: int = 0
    """When it was stored first; 0 lets the store say it."""


@dataclass(slots=True)
class ScheduleRecord:
    """A workflow that is started again and again at planned moments."""

    schedule_id: str
    """Its name; unique in the store."""
    workflow_type: str
    cron: str
    timezone: str = "UTC"
    data: bytes = b"null"
    """The initial data of every run, encoded with the dynamic codec."""
    version: str | None = None
    """The version to start; None takes the newest."""
    overlap: str = "skip"
    """What happens while a run is going on: `skip`, `buffer_one`, `allow` or `cancel_running`."""
    catch_up: int = 1
    """How many missed runs are made up, the newest of them; 0 makes up none."""
    paused: bool = False
    next_us: int | None = None
    """The next planned moment; None is never again."""
    last_us: int | None = None
    """The last planned moment that was started."""
    last_workflow_id: UUID | None = None
    buffered: int = 0
    """Runs that wait for the one that is going on."""
    owner_id: str | None = None
    org_id: str | None = None
    data_region: str | None = None
    """Where the data of its runs may be kept."""
    note: str = ""
    """Why it is paused, and by whom."""
    created_us: int = 0
    updated_us: int = 0
    revision: int = 0
    """Raised by the store with each write."""


@dataclass(slots=True)
class InstanceRecord:
    """The row of one workflow instance, as stored."""

    workflow_id: UUID
    workflow_type: str
    workflow_version: str
    digest: bytes
    status: str
    position: bytes
    snapshot: bytes
    """All encoded fields and variables as of `snapshot_seq`."""
    revision: int = 0
    key: int = 0
    """The store's own integer key."""
    snapshot_seq: int = 0
    last_seq: int = 0
    """The `seq` of the newest log entry."""
    current_step: str | None = None
    waiting_for: bytes | None = None
    """JSON list of what it waits for, for people and schedulers."""
    due_us: int | None = None
    """The next moment at which a timer, retry or timeout of it falls due."""
    result: bytes | None = None
    error: bytes | None = None
    saga_enabled: bool = False
    owner_id: str | None = None
    org_id: str | None = None
    data_region: str | None = None
    priority: int = 0
    idempotency_key: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    parent_id: UUID | None = None
    parent_activation: str | None = None
    """The START activation of the parent that waits for this instance."""
    scheduled_for_us: int | None = None
    created_us: int = 0
    updated_us: int = 0
    transition_id: bytes = b""


@dataclass(slots=True)
class WorkflowSummary:
    """What a list of workflows shows of one: no state, no position."""

    workflow_id: str
    workflow_type: str
    workflow_version: str
    status: str
    current_step: str | None
    owner_id: str | None
    org_id: str | None
    parent_id: str | None
    priority: int
    created_us: int
    updated_us: int
    key: int = 0
    """The store's own integer key; with `created_us` the cursor of a list."""
    digest: bytes = b""
    due_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """Which instances are meant: those that fit everything that is given. Without anything, all."""

    statuses: tuple[str, ...] = ()
    """Any of these; empty is any at all."""
    workflow_type: str | None = None
    workflow_version: str | None = None
    digest: bytes | None = None
    owner_id: str | None = None
    org_id: str | None = None
    parent_id: UUID | None = None
    current_step: str | None = None
    created_after_us: int | None = None
    """Created at this moment or later."""
    created_before_us: int | None = None
    """Created earlier than this moment."""
    updated_before_us: int | None = None
    """Created, and changed for the last time, earlier than this moment."""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    """Top-level keys of the metadata with exactly these JSON values."""


@dataclass(slots=True)
class Transition:
    """One atomic change of one workflow, guarded by the revision that it was computed from."""

    workflow_id: UUID
    key: int
    expected: int
    """The revision that the row must have; -1 touches no row: it only inserts (`created`) and changes the queue."""
    revision: int
    transition_id: bytes
    """Tells after an ambiguous error whether the stored change was this one."""
    status: str
    position: bytes
    current_step: str | None
    at_us: int
    entries: list[LogEntry]
    last_seq: int
    waiting_for: bytes | None = None
    due_us: int | None = None
    snapshot: bytes | None = None
    """The full state, where this transition writes one."""
    result: bytes | None = None
    error: bytes | None = None
    saga_enabled: bool = False
    consumed: tuple[int, ...] = ()
    """`seq` of the inbox entries that this transition used up."""
    sent: tuple[InboxEntry, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    tasks_done: tuple[str, ...] = ()
    outbox: tuple[OutboxRecord, ...] = ()
    definitions: tuple[DefinitionRecord, ...] = ()
    """Definitions that the store may not know yet; a known digest is left alone."""
    created: tuple[InstanceRecord, ...] = ()
    """New instances; one whose id exists already is left alone when this is a parent's transition."""
    digest: bytes | None = None
    """A new definition of the instance (restart)."""
    workflow_version: str | None = None
    drop_log: bool = False
    """Start the history afresh (restart)."""
    schedules: tuple[ScheduleRecord, ...] = ()
    """Schedules to register. A known one is replaced, but keeps what its runs have left (last, buffered, created) and,
    while `cron` and `timezone` stay the same, `next_us`, `paused` and `note`."""
    forget_before: int = 0
    """Log entries and snapshots with a `seq` below this one are deleted, except entries that hold or undo a saga entry,
    and whatever it takes to load the instance: the newest entry, the newest snapshot and all that came after it. Costs a
    walk over all kept entries, so it is worth while only now and then; at the `seq` of a snapshot nothing is kept in
    vain."""
