"""Rewind and fork: going back to any recorded activation, with the state as it was before it, edited if need be.

Each transition leaves its position with its last log entry, so where an instance stood before an activation, and with
which values, is found from the log and the snapshots. A rewind first undoes, newest first, what completed since; then, in
one transition, the instance stands there again in a new *epoch*: activations, idempotency keys and ids of children that
come now differ from those that came before. Nothing of the log is removed. A fork makes a new instance that stands there,
and leaves the old one alone.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, final
from uuid import UUID

import orjson

from ruvon.engine._commit import build_transition, committed, snapshot_of
from ruvon.engine._errors import InvalidInputError, RepairError, WrongArgumentError
from ruvon.engine._frames import Exit, ExitKind, ForkFrame, GraphFrame, TryFrame, UndoFrame, WaitKind
from ruvon.engine._inputs import as_mapping
from ruvon.engine._load import loaded_at
from ruvon.engine._position import encode_position
from ruvon.engine._repair import MIGRATED, stop_awaited
from ruvon.engine._run import Run
from ruvon.engine._scope import StoredScopes
from ruvon.engine._undo import open_entries, place_of, still_open
from ruvon.ir._errors import RuvonError
from ruvon.ir.values import InvalidValueError
from ruvon.models import WorkflowStatus
from ruvon.providers import HistoryForgottenError, InstanceRecord, LogEntry, Transition

if TYPE_CHECKING:
    from ruvon.engine._engine import Engine

_NO_STEP: Final = ("compensate", "repair", "rewind", "advance")
_AROUND: Final = re.compile(r"(?:^|/|e\d+:)([^/\[\]:#]+)(?:#\d+)?\[")
"""The names of the PARALLELs and LOOPs around an activation."""
_UNDOING: Final = ":compensate"
"""What the activations of compensations end with, those of their failed attempts included."""

__all__ = ["Point", "RepairPlan", "begin_rewind", "find_point", "forked", "place_rewound", "planned_rewind"]


@final
@dataclass(frozen=True, slots=True)
class Point:
    """A recorded activation, and where the instance stood before it."""

    seq: int
    """The log entry of the activation."""
    node: str
    activation: str
    after: int
    """The last log entry that came before it; what is later is undone."""
    position: bytes
    at_us: int = 0
    """When the instance came to stand there."""


@final
@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a rewind would do; nothing was changed to find out."""

    step: str
    """Where the instance would stand."""
    activation: str
    state: Mapping[str, object]
    """The state that it would go on with."""
    undone: tuple[str, ...]
    """The activations that would be compensated, in the order of their compensation."""
    kept: tuple[str, ...]
    """The activations since then that have no compensation: their effects stay, and happen again."""


# Where


async def find_point(run: Run, to: str | int) -> Point:
    """The recorded activation that is meant.

    Args:
        run: the instance as it stands.
        to: an activation, the name of a step, PARALLEL or LOOP (its newest execution is meant), or the number of a log
            entry.

    Raises:
        RepairError: nothing like that is recorded, or the log no longer reaches back to it.
    """
    log = await run.services.store.read_log(run.record.workflow_id)
    entry = _found(run, log, to)
    before = [item for item in log if item.seq < entry.seq]
    if any(item.kind == "repair" and item.note.startswith(MIGRATED) for item in log if item.seq > entry.seq):
        raise RepairError(run.id, f"`{entry.activation}` ran with the definition that it had before it was migrated")
    for item in reversed(before):
        if item.position:
            return Point(entry.seq, entry.node, entry.activation, item.seq, item.position, item.at_us)
    if log and log[0].seq > 1:
        raise RepairError(run.id, f"its history before `{entry.activation}` is not kept any more")
    if before and all(not item.position for item in log):
        raise RepairError(run.id, "its history was written by a version that kept no positions")
    fresh = Run(run.services, run.record, run.program)
    return Point(entry.seq, entry.node, entry.activation, 0, encode_position(fresh))


def _found(run: Run, log: Sequence[LogEntry], to: object) -> LogEntry:
    steps = [item for item in log if _is_step(item)]
    if isinstance(to, int):
        fitting = [item for item in steps if item.seq == to]
    elif not isinstance(to, str):
        raise WrongArgumentError("`to`", "the name of a step, an activation, or the number of a log entry", to)
    else:
        fitting = [item for item in steps if to == item.node] or [item for item in steps if to == item.activation]
        fitting = fitting or _begun_in(log, to)
    if fitting:
        # The first entry of an activation is where it began; the newest activation is the one that is meant.
        return next(item for item in steps if item.activation == fitting[-1].activation)
    if isinstance(to, str) and _UNDOING in to:
        raise RepairError(run.id, f"`{to}` is a compensation; go back to the step that it undid, or something earlier")
    activations = [item.activation for item in steps]
    around = [found.group(1) for name in activations for found in _AROUND.finditer(name)]
    names = list(dict.fromkeys([*activations, *around]))
    near = difflib.get_close_matches(str(to), names, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else f"; recorded are {_listed(names)}"
    raise RepairError(run.id, f"no activation `{to}` is recorded{hint}")


def _begun_in(log: Sequence[LogEntry], to: str) -> list[LogEntry]:
    """The entry with which the newest execution of a PARALLEL or LOOP began, by its name or its own activation."""
    named = re.compile(rf"((?:.*/)?{re.escape(place_of(to))}(?:#\d+)?\[)")
    newest = next((found[1] for item in reversed(log) if (found := named.match(place_of(item.activation)))), None)
    if newest is None:
        return []
    begun: LogEntry | None = None
    anew = True
    for item in log:
        place = place_of(item.activation)
        if item.kind == "rewind":  # to its own beginning, or elsewhere: if it comes again, it is another execution
            anew = anew or not place.startswith(newest) or (begun is not None and place == place_of(begun.activation))
        elif anew and place.startswith(newest) and _is_step(item):
            begun, anew = item, False
    return [begun] if begun is not None else []


def _is_step(item: LogEntry) -> bool:
    return bool(item.node) and item.kind not in _NO_STEP and not item.activation.endswith(_UNDOING)


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(f"`{name}`" for name in names[-most:])
    return (f"..., {shown}" if len(names) > most else shown) or "none"


# What would happen


async def planned_rewind(run: Run, to: str | int, state: Mapping[str, object] | None = None) -> RepairPlan:
    """What a rewind would do."""
    point = await find_point(run, to)
    there = await _standing_at(run, point, state)
    await _lost_marks(run, point)
    log = await run.services.store.read_log(run.record.workflow_id, after=point.after)
    entries = await open_entries(run, point.after)
    gone = {item.seq for item in entries} | _compensated(log)
    kept = [item.activation for item in log if item.kind == "step" and item.seq not in gone]
    return RepairPlan(
        point.node,
        point.activation,
        run.program.types.state.as_dict(there.root.scope.fields),
        tuple(item.activation for item in reversed(entries)),
        tuple(kept),
    )


async def _standing_at(run: Run, point: Point, state: Mapping[str, object] | None) -> Run:
    """A run as it stood before an activation, with edits of the state, in the next epoch."""
    store = run.services.store
    try:
        seq, snapshot = await store.read_snapshot(run.record.workflow_id, at=point.after)
    except HistoryForgottenError:
        raise RepairError(run.id, f"its state before `{point.activation}` is not kept any more") from None
    stored = StoredScopes(snapshot)
    for entry in await store.read_log(run.record.workflow_id, after=seq):
        if entry.seq > point.after:
            break
        stored.apply(entry.delta)
    if state:
        _edit(run, stored, state)
    there = await loaded_at(run.services, replace(run.record), run.program, point.position, stored)
    there.epoch = run.epoch + 1
    there.last_seq = run.last_seq
    there.token = run.token
    there.rests = True
    _wait_anew(there, run.now_us() - point.at_us)
    for strand in list(there.strands()):
        if isinstance(strand.top, ForkFrame):  # its other branches are not in the position, and make it ACTIVE
            strand.top.op.begin(there, strand, strand.top)
    return there


def _wait_anew(there: Run, gone_us: int) -> None:
    """Nobody who was waited for there will come again by himself.

    Children and queued work are begun anew. People and senders are asked anew, and have the time that was left then;
    so has a PARALLEL with a timeout. A timer keeps its moment.
    """
    for strand in list(there.waiting.values()):
        wait = strand.wait
        if wait is None:
            continue
        wait.since_us += gone_us if wait.since_us else 0
        if wait.kind in (WaitKind.CHILD, WaitKind.TASK):
            there.waiting.pop(wait.activation)
            strand.wait = None
        elif wait.kind in (WaitKind.HUMAN, WaitKind.INPUT, WaitKind.SIGNAL):
            wait.revision = there.record.revision
            wait.due_us = wait.due_us + gone_us if wait.due_us is not None else None
    for strand in there.strands():
        strand.since_us += gone_us if strand.since_us else 0
    if there.timeout_us is not None:
        there.timeout_us += gone_us
    for _, fork in there.forks.values():
        fork.due_us = fork.due_us + gone_us if fork.due_us else fork.due_us


async def _lost_marks(run: Run, point: Point) -> list[int]:
    """The saga entries that stand at the point, and that the log has closed since though what they did still stands.

    Raises:
        RepairError: something that came before the point was undone since, so going on there would build on nothing.
    """
    found = await run.services.store.read_log(run.record.workflow_id, saga=True)
    now = {item.seq for item in still_open(found)}
    closed = [item for item in still_open([item for item in found if item.seq <= point.after]) if item.seq not in now]
    compensated = _compensated(found)
    gone = [item for item in closed if item.seq in compensated]
    if gone:
        last, first = gone[-1].activation, gone[0].activation
        raise RepairError(
            run.id,
            f"`{last}`, on which `{point.activation}` builds, was undone since, so going on there would build on nothing; "
            f"go back to `{first}` or something earlier, which does it again",
        )
    return [item.seq for item in closed]


def _compensated(log: Iterable[LogEntry]) -> set[int]:
    """The log entries whose compensation worked."""
    done = (item for item in log if item.kind == "compensate" and item.error is None)
    return {orjson.loads(item.saga or b"{}").get("undo", 0) for item in done}


def _edit(run: Run, stored: StoredScopes, state: Mapping[str, object]) -> None:
    """Put edits into the stored state, before branches begin from it, and over what branches wrote of the same fields."""
    subject = "the edited state"
    if as_mapping(state) is None:
        raise InvalidInputError("state", [f"it is a mapping of fields to values, not {state!r}"], subject=subject)
    fields, _ = stored.trees.setdefault("", ({}, {}))
    try:
        writes = run.program.types.state.apply(None, fields, state, "the edited state", True)
    except InvalidValueError as exc:
        problems = [f"`{item.path}` {item.reason}" for item in exc.fields]
        raise InvalidInputError("state", problems, subject=subject) from None
    except RuvonError as exc:
        raise InvalidInputError("state", [str(exc)], subject=subject) from None
    fields.update(writes)
    for own, _ in stored.trees.values():
        own.update({name: data for name, data in writes.items() if name in own})


# Rewinding


async def begin_rewind(
    run: Run, to: str | int, state: Mapping[str, object] | None, *, compensate: bool, note: str
) -> None:
    """Make a loaded run undo what came since, or stand there at once.

    Raises:
        RepairError: the activation is not recorded, or the instance must not be rewound now.
        InvalidInputError: the edited state does not fit.
    """
    if run.status is WorkflowStatus.COMPENSATING:
        raise RepairError(run.id, "it is being rolled back; wait for the end of that")
    if run.status.is_terminal and run.record.parent_activation is not None:
        raise RepairError(run.id, "its parent has taken its end already; rewind the parent")
    point = await find_point(run, to)
    await _standing_at(run, point, state)  # what does not fit is found before anything is undone
    reopened = await _lost_marks(run, point)
    leaving = Exit(ExitKind.REWIND, orjson.dumps({"state": _encoded(run, state)}), target=str(point.seq), reason=note)
    _stop_everything(run)
    entry = run.log("repair", point.node, point.activation, note=f"rewind{note}")
    entry.activation = point.activation
    entry.saga = orjson.dumps({"reopen": reopened}) if reopened else None
    if compensate and await open_entries(run, point.after):
        run.root.frames[:] = [UndoFrame(point.after, "", leaving)]
        run.moved = True
        return
    await place_rewound(run, leaving)


def _encoded(run: Run, state: Mapping[str, object] | None) -> object:
    return orjson.Fragment(run.program.types.dynamic.encode(dict(state), "state")) if state else None


def _stop_everything(run: Run) -> None:
    """Nothing of where the instance stands goes on; awaited children are told to end."""
    for strand in run.waiting.values():
        if strand.wait is not None:
            stop_awaited(run, strand.wait, "the parent was rewound")
    for scope in [scope for name, scope in run.scopes.items() if name]:
        run.drop_scope(scope)
    root = run.root
    root.wait = None
    root.attempt, root.since_us, root.unknown = 1, 0, False
    run.waiting.clear()
    run.forks.clear()
    run.ready.clear()
    run.reopen()
    run.failed_compensations = []


async def place_rewound(run: Run, leaving: Exit) -> None:
    """Stand at the activation, in one transition; the drive of the run so far is over."""
    point = await find_point(run, int(leaving.target or 0))
    tree = orjson.loads(leaving.value or b"{}").get("state")
    decoded = run.program.types.dynamic.decode(orjson.dumps(tree)) if tree is not None else None
    state = cast("Mapping[str, object] | None", decoded)
    there = await _standing_at(run, point, state)
    there.out = run.out
    there.queued = run.queued
    there.pending = run.pending
    dropped = [point.after, run.last_seq + 1]
    entry = there.log(
        "rewind", point.node, point.activation, saga=orjson.dumps({"forget": dropped}), note=leaving.reason.strip()
    )
    entry.activation = point.activation
    fields = there.root.scope.fields
    there.root.scope.write_state({name: fields[name] for name in state or {} if name in fields})
    transition = build_transition(there)
    transition.snapshot = snapshot_of(there)
    await run.services.store.commit(transition)
    committed(there, transition)
    run.told.update(message.workflow_id for message in transition.sent)
    run.restarted = True
    if there.notices is not None:
        await there.notices.send()


# Forking


async def forked(
    engine: "Engine",
    run: Run,
    to: str | int,
    workflow_id: UUID,
    state: Mapping[str, object] | None,
    said: Mapping[str, str],
) -> tuple[InstanceRecord, Transition]:
    """The row of a new instance that stands where the old one stood before an activation.

    It has a log of its own, so what the old one did is not undone by it. What was `said` goes into its metadata.
    """
    point = await find_point(run, to)
    await _lost_marks(run, point)
    there = await _standing_at(run, point, state)
    there.epoch = 0
    for strand in there.strands():
        strand.unknown = False
        for frame in strand.frames:
            if isinstance(frame, GraphFrame):
                frame.previous = 0
            if isinstance(frame, TryFrame):
                frame.mark = 0
    now = engine.clock.now_us()
    old = run.record
    origin = {"forked_from": str(old.workflow_id), "forked_at": point.activation}
    record = replace(
        old,
        workflow_id=workflow_id,
        revision=0,
        key=0,
        last_seq=0,
        snapshot_seq=0,
        idempotency_key=None,
        parent_id=None,
        parent_activation=None,
        scheduled_for_us=None,
        result=None,
        error=None,
        created_us=now,
        updated_us=now,
        metadata={**old.metadata, **origin, **{name: text for name, text in said.items() if text}},
    )
    there.record = record
    there.id = str(workflow_id)
    there.last_seq = 0
    there.close_entry()
    there.pending.clear()
    standing: Any = build_transition(there)
    record.status = standing.status
    record.position = standing.position
    record.snapshot = snapshot_of(there)
    record.current_step = standing.current_step
    record.waiting_for = standing.waiting_for
    record.due_us = standing.due_us
    definition = engine.definition_record(run.program)
    return record, Transition(
        workflow_id, 0, -1, 0, b"", record.status, b"", None, now, [], 0, created=(record,), definitions=(definition,)
    )
