"""Rollback: completed steps are undone, newest first, each by one transition, and a crash resumes where it was.

The saga log is the instance's own log: an entry with `saga` can be undone, an entry of kind `compensate` names the one
that it undid. So what is left to do is always what the log says, and nothing about a rollback needs a place of its own
beside the `UndoFrame`. A compensation that fails for good is recorded and shown; the others go on.
"""

import asyncio
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast, final
from uuid import UUID

import orjson

from ruvon.engine._arguments import decode_argument
from ruvon.engine._context import RunContext
from ruvon.engine._effects import Effect
from ruvon.engine._frames import ExitKind, Strand, UndoFrame, WaitKind, WaitState
from ruvon.engine._functions import Function
from ruvon.engine._interceptors import StepCall
from ruvon.engine._merge import step_writes
from ruvon.engine._retry import next_attempt_us
from ruvon.ir._nodes import Merge, RetryPolicy
from ruvon.models import BodyCancelledError, CompensationFailedError, StepContext, WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, LogEntry

if TYPE_CHECKING:
    from ruvon.engine._run import Run

__all__ = [
    "NOTHING_TO_UNDO",
    "Compensator",
    "Undo",
    "open_entries",
    "place_of",
    "saga_bytes",
    "still_open",
    "undone_by_hand",
]

_EPOCH: Final = re.compile(r"e\d+:")
NOTHING_TO_UNDO: Final = "it had done nothing that could be undone"
"""What the log says of a child that was asked to undo itself and had no compensation to run."""


@final
@dataclass(frozen=True, slots=True)
class Compensator:
    """How a step is undone."""

    function: Function
    attempted: bool
    retry: RetryPolicy | None


def saga_bytes(arguments: dict[str, bytes], *, attempted: bool = False, child: str | None = None) -> bytes:
    """What a log entry keeps for a compensation beside the result: the arguments by name, or the child to undo."""
    tree: dict[str, object] = {"args": {name: orjson.Fragment(data) for name, data in arguments.items()}}
    if attempted:
        tree["attempted"] = True
    if child is not None:
        tree["child"] = child
    return orjson.dumps(tree)


async def open_entries(run: "Run", after: int) -> list[LogEntry]:
    """The saga entries later than a log entry that nobody has undone yet, in order of completion."""
    stored = await run.services.store.read_log(run.record.workflow_id, after=after, saga=True)
    pending = [item for item in run.pending if item.saga is not None and item.seq > after]
    return still_open([*stored, *pending])


def still_open(found: Sequence[LogEntry]) -> list[LogEntry]:
    """Those of the saga entries of a stretch of the log that nothing in the stretch has undone."""
    closed: set[int] = set()
    undoable: list[LogEntry] = []
    for item in found:
        match cast("dict[str, Any]", orjson.loads(item.saga or b"{}")):
            case {"undo": int(seq)}:
                closed.add(seq)
            case {"reopen": [*numbers]}:
                closed.difference_update(numbers)
            case {"forget": [int(first), int(last)]}:
                closed.update(entry.seq for entry in undoable if first < entry.seq < last)
            case _:
                undoable.append(item)
    return [item for item in undoable if item.seq not in closed]


def place_of(activation: str) -> str:
    """An activation without the epoch that it may begin with."""
    return _EPOCH.sub("", activation, count=1)


async def undone_by_hand(run: "Run", nodes: frozenset[str]) -> bytes | None:
    """What the log entry of a step says that a body calls to undo one of `nodes` itself: the newest entry is undone."""
    found = [item for item in await open_entries(run, 0) if item.node in nodes]
    return orjson.dumps({"undo": found[-1].seq}) if found else None


def _undid_something(log: Sequence[LogEntry]) -> bool:
    """Whether the rollback with which the log of a child ends ran a compensation, of its own or of a child below."""
    for item in reversed(log):
        if item.kind == "end" and item.note == WorkflowStatus.COMPLETED:
            return False
        if item.kind == "compensate" and item.note != NOTHING_TO_UNDO:
            return True
    return False


@final
class Undo(Effect):
    """Undo the next entry of a rollback, or end the rollback."""

    __slots__ = ("frame",)

    def __init__(self, strand: Strand, frame: UndoFrame) -> None:
        super().__init__(strand)
        self.frame = frame

    async def perform(self, run: "Run") -> None:
        """Run one compensation and record what came of it."""
        entry = await self._next(run)
        if entry is None:
            await self._finish(run)
            return
        saga = cast("dict[str, Any]", orjson.loads(entry.saga or b"{}"))
        if self.frame.child_ended is not None:
            await self._child_undone(run, entry, saga["child"], self.frame.child_ended)
            return
        if run.notices is not None and self.strand.attempt == 1:
            await run.notices.compensation_started(entry.node, self.frame.undone)
        if "child" in saga:
            self._ask_child(run, entry, saga["child"])
            return
        await self._compensate(run, entry, saga)

    async def _next(self, run: "Run") -> LogEntry | None:
        if self.frame.entries is None:
            found = await open_entries(run, self.frame.mark)
            prefix = self.frame.prefix
            self.frame.entries = [item for item in found if place_of(item.activation).startswith(prefix)]
        return self.frame.entries[-1] if self.frame.entries else None

    async def _finish(self, run: "Run") -> None:
        from ruvon.engine._cancel import exit_after  # noqa: PLC0415 - the modules stand on each other
        from ruvon.engine._machine import unwind  # noqa: PLC0415 - the modules stand on each other
        from ruvon.engine._rewind import place_rewound  # noqa: PLC0415 - the modules stand on each other

        strand, leaving = self.strand, self.frame.exit
        if leaving.kind is ExitKind.REWIND:
            await place_rewound(run, leaving)
            return
        run.failed_compensations.extend(self.frame.failed)
        strand.frames.pop()
        run.moved = True
        if strand.frames:
            unwind(run, strand, exit_after(run, strand, leaving))
        else:
            strand.ended = leaving

    async def _compensate(self, run: "Run", entry: LogEntry, saga: dict[str, Any]) -> None:
        strand = self.strand
        compensator = cast("Compensator | None", getattr(run.program.ops.get(entry.node), "compensator", None))
        if compensator is None:  # the definition was replaced by one without it (restart)
            self._done(run, entry, None)
            return
        view = run.scope_view(strand, plain=compensator.function.plain_state)
        services = RunContext(run, f"{entry.activation}:compensate", None)
        try:
            made = await self._call(run, entry, saga, compensator, view, services)
            worked_on = view if compensator.function.takes_state else None
            writes = step_writes(
                run, strand.scope, worked_on, made, Merge(), entry.node, merges=worked_on is not None, strict=False
            )
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            self._failed(run, entry, compensator, BodyCancelledError(f"{entry.node}:compensate"))
            return
        except Exception as exc:  # a compensation that fails must not stop the others
            self._failed(run, entry, compensator, exc)
            return
        self._done(run, entry, None)
        strand.scope.write_state(writes)
        run.out.outbox.extend(services.published)

    async def _call(
        self,
        run: "Run",
        entry: LogEntry,
        saga: dict[str, Any],
        compensator: Compensator,
        view: Any,
        services: RunContext,
    ) -> object:
        function = compensator.function
        dynamic = run.program.types.dynamic
        recorded = {name: decode_argument(run.program.types, tree) for name, tree in saga["args"].items()}
        result = None
        if entry.result is not None and not saga.get("attempted"):
            result = dynamic.decode(entry.result)
        arguments = {name: recorded[name] for name in function.names if name in recorded}
        free = [name for name in function.names if name not in recorded]
        if free:
            arguments[free[0]] = result
        if function.takes_state:
            arguments["state"] = view
        if function.takes_context:
            arguments["context"] = StepContext(
                run.id,
                entry.node,
                services,
                attempt=self.strand.attempt,
                step_result=result,
            )
        try:
            made = self._made(run, entry, function, recorded, arguments)
            return await made if inspect.isawaitable(made) else made
        finally:
            if services.lines:
                await run.services.write_lines(run.record.workflow_id, entry.node, services.lines)

    def _made(
        self,
        run: "Run",
        entry: LogEntry,
        function: Function,
        recorded: Mapping[str, Any],
        arguments: Mapping[str, Any],
    ) -> object:
        def plain(made: object) -> object:
            return function.returned(made, f"{entry.node}:compensate")

        def body() -> object:
            if function.is_blocking or (run.services.threads_bodies and not function.is_async):
                return run.services.execution.call_blocking(lambda: plain(function.call(**arguments)))
            return plain(function.call(**arguments))

        intercept = run.services.intercept
        if intercept is None:
            return body()
        call = StepCall(
            workflow_id=run.id,
            workflow_type=run.record.workflow_type,
            step=entry.node,
            activation=f"{entry.activation}:compensate",
            attempt=self.strand.attempt,
            function=function.path,
            arguments=recorded,
            state=arguments.get("state"),
            context=arguments.get("context"),
            compensates=True,
            metadata=run.record.metadata,
        )
        return intercept(call, body)

    def _done(self, run: "Run", entry: LogEntry, error: Exception | None, *, note: str = "") -> None:
        activation = f"{entry.activation}:compensate"
        recorded = None
        if error is not None:
            recorded = run.record_of(error, self.strand, entry.node, activation).encode()
            self.frame.failed.append(entry.node)
        run.log(
            "compensate",
            entry.node,
            activation,
            attempt=self.strand.attempt,
            saga=orjson.dumps({"undo": entry.seq}),
            error=recorded,
            note=note,
        )
        if run.notices is not None:
            run.notices.compensation_completed(entry.node, error, is_empty=note == NOTHING_TO_UNDO)
        self.strand.attempt = 1
        self.frame.undone += 1
        if self.frame.entries:
            self.frame.entries.pop()

    def _failed(self, run: "Run", entry: LogEntry, compensator: Compensator, error: Exception) -> None:
        strand = self.strand
        record = run.record_of(error, strand, entry.node, f"{entry.activation}:compensate")
        delay = next_attempt_us(compensator.retry, record, strand.attempt, run.services.ids)
        if delay is None:
            self._done(run, entry, error)
            return
        activation = f"{entry.activation}:compensate"
        run.log("retry", entry.node, activation, attempt=strand.attempt, error=record.encode())
        strand.wait = WaitState(
            WaitKind.RETRY, activation, entry.node, run.now_us() + delay, attempt=strand.attempt + 1
        )

    def _ask_child(self, run: "Run", entry: LogEntry, child: str) -> None:
        """Ask a completed child to undo itself as a whole, and wait for its end."""
        activation = f"{entry.activation}:compensate"
        run.out.sent.append(
            InboxEntry(
                UUID(child), InboxKind.REPAIR, "undo", b"{}", dedup=f"undo:{run.id}:{entry.seq}", at_us=run.now_us()
            )
        )
        run.moved = True
        self.strand.wait = WaitState(WaitKind.CHILD, activation, entry.node, name=entry.node, key=child)

    async def _child_undone(self, run: "Run", entry: LogEntry, child: str, status: str) -> None:
        """The child has ended its rollback."""
        self.frame.child_ended = None
        if status not in (WorkflowStatus.FAILED_ROLLED_BACK, WorkflowStatus.CANCELLED):
            self._done(run, entry, CompensationFailedError([entry.node]))
            return
        log = await run.services.store.read_log(UUID(child))
        self._done(run, entry, None, note="" if _undid_something(log) else NOTHING_TO_UNDO)
