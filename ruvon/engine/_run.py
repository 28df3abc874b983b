"""`Run`: one instance in the hands of its holder.

Holds the decoded position, the scopes, and everything that the next transition will carry. Between two awaits the run in
memory is exactly what is committed plus what `pending` says; a commit that fails throws the run away.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, final
from uuid import UUID

import orjson
from pydantic import BaseModel

from ruvon.engine._error_records import ErrorRecord, record_error
from ruvon.engine._errors import DefinitionDriftError, ProgramError
from ruvon.engine._frames import BodyFrame, Exit, ForkFrame, LoopFrame, Strand, UndoFrame, WaitState
from ruvon.engine._interceptors import Intercept
from ruvon.engine._program import Op, Program
from ruvon.engine._scope import Scope, StoredScopes
from ruvon.engine._shared import SharedCommit
from ruvon.ir._nodes import CommitMode
from ruvon.ir.expr import Environment, ExpressionBudgetError
from ruvon.models import LoopLimitError, WorkflowDirective, WorkflowStatus
from ruvon.providers import (
    Clock,
    DefinitionRecord,
    EgressProvider,
    EngineStore,
    ExecutionProvider,
    IdSource,
    InboxEntry,
    InferenceProvider,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    PersistenceError,
    ScheduleRecord,
    StatementError,
    TaskRecord,
    WasmRuntime,
    datetime_of,
)

if TYPE_CHECKING:
    from ruvon.engine._children import ChildMaker
    from ruvon.engine._observe import Notices, Observers

__all__ = ["Run", "Services"]

_UNCATCHABLE: Final = (
    LoopLimitError,
    ExpressionBudgetError,
    PersistenceError,
    DefinitionDriftError,
    ProgramError,
    WorkflowDirective,
)
_MOST_PENDING: Final = 1_000
"""Log entries that a turn of `commit="iteration"` keeps in memory; a turn with more of them is committed in parts."""


class Services(Protocol):
    """What a run needs of the engine around it."""

    store: EngineStore
    clock: Clock
    ids: IdSource
    execution: ExecutionProvider
    threads_bodies: bool
    observers: "Observers"
    resources: Mapping[type, object]
    intercept: Intercept | None
    cleanup_deadline_us: int | None
    """So long may each `finally` of an instance that is ended early run, in microseconds; None: for ever."""
    egress: EgressProvider | None
    wasm: WasmRuntime | None
    inference: InferenceProvider | None

    def secret(self, name: str) -> object:
        """The value of `secret("NAME")`."""
        ...

    def render(self, template: str, names: Mapping[str, object]) -> str:
        """The text of `template("...")`."""
        ...

    async def write_lines(
        self, workflow_id: UUID, step: str, lines: Sequence[tuple[str, str, Mapping[str, Any]]], /
    ) -> None:
        """Append to the execution log; what goes wrong with that touches no workflow."""
        ...

    @property
    def children(self) -> "ChildMaker":
        """Makes and drives child instances."""
        ...


@final
@dataclass(slots=True)
class Outgoing:
    """What the next transition carries beside log entries and the position."""

    consumed: list[int] = field(default_factory=list[int])
    sent: list[InboxEntry] = field(default_factory=list[InboxEntry])
    tasks: list[TaskRecord] = field(default_factory=list[TaskRecord])
    tasks_done: list[str] = field(default_factory=list[str])
    outbox: list[OutboxRecord] = field(default_factory=list[OutboxRecord])
    created: list[InstanceRecord] = field(default_factory=list[InstanceRecord])
    definitions: list[DefinitionRecord] = field(default_factory=list[DefinitionRecord])
    schedules: list[ScheduleRecord] = field(default_factory=list[ScheduleRecord])

    def is_used(self) -> bool:
        """Whether there is anything in it."""
        return bool(
            self.consumed
            or self.sent
            or self.tasks
            or self.tasks_done
            or self.outbox
            or self.created
            or self.definitions
            or self.schedules
        )


@final
class Run:
    """An instance being driven.

    Args:
        services: what it needs of the engine around it.
        record: its row.
        program: the program of the row's definition.
        detached: it belongs to a worker, which runs one body of it and records nothing.
    """

    epoch: int = 0
    """How often the instance was rewound."""
    cancelling: str | None = None
    """Why the instance is being cancelled, while it is."""
    cancel_compensates: bool = False
    cancel_error: ErrorRecord | None = None
    """What it ends with where its timeout has passed, which leads it out as a cancel does."""
    begun_again: int = 0
    """How often an operator's retry let a compound node begin anew."""
    rests: bool = False
    """A caller wanted one step and has it: nothing of what comes was begun."""
    failure: bytes | None = None
    """The position where the last uncaught error happened; an operator's retry goes on there."""
    error: ErrorRecord | None = None
    deltas: int = 0
    """Log entries, and their bytes, since the last snapshot."""
    delta_bytes: int = 0

    # What the next transition carries, beside `pending` and `out`.
    current: LogEntry | None = None
    """The entry that changes of scopes belong to."""
    moved: bool = False
    """The position changed since the last commit, though no entry says so."""

    # What belongs to one drive of the instance, and to nothing that is stored, beside what `_begin_drive` makes.
    by_step: bool = False
    """Stop after a step of the outermost graph that does not go on by itself."""
    alone: bool = False
    """No task stands for the drive; the one with which the instance was to begin may still be in the queue."""
    halted: Op | None = None
    """The step after which the drive stops."""
    fatal: Exit | None = None
    """The error that ended the instance where it happened; the position stays as it was."""
    fatal_strand: Strand | None = None
    turn_ended: bool = False
    """A turn of the outermost loop is about to begin (`commit="iteration"`)."""
    token: bytes = b""
    share: Callable[[], AbstractAsyncContextManager[SharedCommit]]
    """Opens a transaction that a step's statements share with its commit; the drive gives it."""
    driven: bool = False
    """It was driven as far as it goes now."""
    restarted: bool = False
    """The instance was replaced by a fresh one; this run is over."""

    def __init__(self, services: Services, record: InstanceRecord, program: Program, *, detached: bool = False) -> None:
        self.services = services
        self.record = record
        self.program = program
        self.detached = detached
        self.dirty: list[Scope] = []
        """Scopes that changed since the last log entry."""
        self.scopes: dict[str, Scope] = {}
        self._environments: dict[str, Environment] = {}
        self.root = Strand(self.new_scope("", None))
        self.body = BodyFrame(program.body, "")
        self.root.frames.append(self.body)
        self.timeout_us = self.own_timeout_us()
        """The moment at which its timeout passes, if it has one."""
        self.failed_compensations: list[str] = []
        self.status = WorkflowStatus(record.status)
        self.last_seq = record.last_seq
        self.child_results: dict[str, bytes] = {}
        """The last result of each child type (`sub_workflow_results`)."""
        self.previous: dict[int, bytes] = {}
        """Results of the steps that finished last in live frames, by their log entry."""
        self.progress: dict[str, dict[str, Any]] = {}
        self.pending: list[LogEntry] = []
        self.queued: set[str] = set()
        """Tasks of the last commit that strands wait for; one that nobody waits for any more is withdrawn."""
        self._begin_drive()
        # Only while it is being loaded.
        self.loading: list[tuple[Strand, ForkFrame, int, list[Any]]] = []
        self.stored = StoredScopes(b"{}")

    @cached_property
    def out(self) -> Outgoing:
        """What the next transition carries beside log entries and the position."""
        return Outgoing()

    @cached_property
    def id(self) -> str:
        """The instance's id as text."""
        return str(self.record.workflow_id)

    def _begin_drive(self) -> None:
        """What belongs to one drive of the instance, and to nothing that is stored."""
        self.ready: deque[Strand] = deque()
        self.waiting: dict[str, Strand] = {}
        """Strands that wait, by the id of the wait."""
        self.forks: dict[str, tuple[Strand, ForkFrame]] = {}
        """Open PARALLELs with a timeout."""
        self.inbox: list[InboxEntry] = []
        self.overdue: list[WaitState] = []
        """Waits for tasks whose time to find a worker is over."""
        self.spawned: list[UUID] = []
        """Children that were created and are to be driven."""
        self.told: set[UUID] = set()
        """Instances that were sent a message in this drive."""
        self.losers: list[Strand] = []
        """Running strands that are to be cancelled."""
        self.commit_each = self.program.definition.commit is CommitMode.STEP
        self.notices: Notices | None = self.services.observers.notices(self)
        self.hears = self.record.waiting_for is not None
        """Somebody may have sent it a message, so that it is looked for once more behind the end."""

    def hear(self) -> None:
        """Something came while it is held, perhaps too late for its drive: it is looked for once more behind the end."""
        self.hears = True

    # Time limits

    def own_timeout_us(self) -> int | None:
        """When the timeout of the definition passes, counted from the creation of the instance."""
        limit = self.program.definition.timeout_us
        return self.record.created_us + limit if limit is not None else None

    def timeout_at(self) -> int | None:
        """When the instance is to be ended by its timeout; None where it has none, or is on its way out already."""
        leaving = self.cancelling is not None or self.root.ended is not None or self.fatal is not None
        return None if self.timeout_us is None or leaving or self.is_undone else self.timeout_us

    @property
    def is_undone(self) -> bool:
        """Whether the whole instance is being rolled back; behind the rollback of a scope inside it may go on."""
        frames = self.root.frames
        return len(frames) == 1 and isinstance(frames[0], UndoFrame)

    def is_limited(self) -> bool:
        """Whether there may be a moment at which what runs is to be ended."""
        return self.timeout_us is not None or self.cancelling is not None

    def cleanup_due_us(self) -> int | None:
        """When a `finally` that begins now is cut short; None where the instance is not ended early."""
        limit = self.services.cleanup_deadline_us
        return self.now_us() + limit if self.cancelling is not None and limit is not None else None

    def reopen(self) -> None:
        """Let an instance that ended go on: nothing of its end is left, and its timeout counts anew."""
        self.fatal = self.root.ended = self.cancelling = self.cancel_error = None
        limit = self.program.definition.timeout_us
        self.timeout_us = self.now_us() + limit if limit is not None else None

    # Scopes and expressions

    def new_scope(self, name: str, parent: Scope | None) -> Scope:
        """A scope of this run."""
        scope = Scope(name, self.program.types, self.dirty, parent)
        self.scopes[name] = scope
        self._environments.pop(name, None)
        return scope

    def drop_scope(self, scope: Scope) -> None:
        """Forget the scope of a joined branch."""
        scope.drop()
        self.scopes.pop(scope.name, None)
        self._environments.pop(scope.name, None)

    def env(self, strand: Strand) -> Environment:
        """What expressions of a strand are evaluated in."""
        scope = strand.scope
        found = self._environments.get(scope.name)
        if found is None:
            found = self._environments[scope.name] = Environment(
                scope.names,
                recorder=self,
                secrets=self.services.secret,
                templates=self.services.render,
                resolve=self._resolve,
            )
        return found

    def let_go(self) -> None:
        """Cut what refers to itself, so that nothing of a run that is over waits for the garbage collector."""
        self._environments.clear()
        for scope in self.scopes.values():
            scope.let_go()
        self.scopes.clear()

    def _resolve(self, path: str) -> object:
        return self.program.types.load(path)

    # The recorder of expressions

    def now_us(self) -> int:
        """The present moment in microseconds since the Unix epoch."""
        return self.services.clock.now_us()

    def now(self) -> datetime:
        """The value of `now()`; recorded by the assignment that it stands in."""
        return datetime_of(self.services.clock.now_us())

    def new_id(self) -> UUID:
        """The value of `new_id()`."""
        return self.services.ids.new_id()

    def random(self) -> float:
        """The value of `random()`."""
        return self.services.ids.random()

    def scope_view(self, strand: Strand, *, plain: bool) -> Any:
        """The state for a step of this strand: its own copy, as a plain dict where the function wants one."""
        state = self.program.types.state
        return state.as_dict(strand.scope.fields) if plain else state.view(strand.scope.fields)

    def scheduled_for(self) -> datetime | None:
        """The planned time of a run that a schedule started."""
        planned = self.record.scheduled_for_us
        return datetime_of(planned) if planned is not None else None

    def shown(self, words: Mapping[str, object]) -> bytes:
        """What a person is shown, as JSON for people: no type tags, secrets masked by their own text form."""
        return orjson.dumps(words, default=_plain)

    # Log entries

    def log(
        self,
        kind: str,
        node: str,
        activation: str,
        result: bytes | None = None,
        *,
        attempt: int = 1,
        saga: bytes | None = None,
        error: bytes | None = None,
        note: str = "",
    ) -> LogEntry:
        """Begin a log entry; what scopes change from now on belongs to it."""
        self.close_entry()
        self.last_seq += 1
        entry = LogEntry(
            self.last_seq,
            kind,
            node,
            self.activation(activation),
            self.services.clock.now_us(),
            attempt,
            b"",
            result,
            saga,
            error,
            note,
        )
        self.pending.append(entry)
        self.current = entry
        return entry

    def activation(self, place: str) -> str:
        """The identity of an activation at a place of the graph: places of a rewound run begin with its epoch."""
        return f"e{self.epoch}:{place}" if self.epoch and place else place

    def close_entry(self) -> None:
        """Give what scopes changed to the current entry, or to one of its own."""
        if not self.dirty:
            self.current = None
            return
        delta = orjson.dumps({scope.name: scope.take_delta() for scope in self.dirty})
        self.dirty.clear()
        entry = self.current
        if entry is None:
            self.last_seq += 1
            entry = LogEntry(self.last_seq, "advance", "", "", self.services.clock.now_us())
            self.pending.append(entry)
        entry.delta = delta
        self.current = None

    def commits_now(self, strand: Strand | None = None) -> bool:
        """Whether what happened is to be committed before the next effect, which is one of `strand`."""
        if self.commit_each or self.turn_ended or self.out.created or self.out.sent or self.out.tasks:
            self.turn_ended = False
            return True
        if len(self.pending) >= _MOST_PENDING or self.outermost_loop() is None:
            return True
        return strand is not None and isinstance(strand.frames[-1], UndoFrame)  # it reads the stored log

    def resume(self, strand: Strand) -> None:
        """Put a strand on the ready list, if there is anything for it to do."""
        if strand.ended is not None or self.fatal is not None or isinstance(strand.frames[-1], ForkFrame):
            return
        if not strand.running and strand not in self.ready:
            self.ready.append(strand)

    def fatal_node(self) -> str | None:
        """The node that failed, where the position stayed at it."""
        if self.fatal is None or self.fatal.error is None:
            return None
        return self.fatal.error.step

    def outermost_loop(self) -> LoopFrame | None:
        """The outermost LOOP that the body is in."""
        return next((frame for frame in self.root.frames if isinstance(frame, LoopFrame)), None)

    # Errors

    def record_of(self, error: BaseException, strand: Strand, node: str, activation: str) -> ErrorRecord:
        """The record of an error of a node."""
        return record_error(
            error,
            self.program.types.dynamic,
            step=node,
            activation=activation,
            attempt=strand.attempt,
            uncatchable=isinstance(error, _UNCATCHABLE) and not isinstance(error, StatementError),
        )

    def last_result(self) -> object:
        """The result of the step of the outermost graph that finished last."""
        data = self.previous.get(self.body.previous)
        return self.program.types.dynamic.decode(data) if data is not None else None

    # The tree

    def strands(self) -> Iterator[Strand]:
        """All live strands, the body first."""
        pending = [self.root]
        while pending:
            strand = pending.pop()
            yield strand
            if strand.frames and isinstance(strand.frames[-1], ForkFrame):
                pending.extend(strand.frames[-1].branches.values())


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)
