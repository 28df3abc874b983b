"""The pure part of the engine: how a strand gets from one effect to the next.

`advance` runs a strand through operations that have no effect until one asks for an effect, waits, forks, or the strand
ends. It never awaits, so nothing else happens between the end of one effect and the log entry of the next. `unwind` is
the other half: how RETURN, FAIL, BREAK, CONTINUE, jumps and cancellation leave frames, innermost first.
"""

from typing import Final, assert_never

from ruvon.engine._arguments import encode_error
from ruvon.engine._effects import Arrival, Effect, Parked, Slice
from ruvon.engine._error_records import ErrorRecord
from ruvon.engine._errors import DefinitionDriftError, ProgramError, UnknownWorkflowTypeError
from ruvon.engine._frames import (
    BODY,
    FINAL,
    BodyFrame,
    Exit,
    ExitKind,
    ForkFrame,
    Frame,
    GraphFrame,
    LoopFrame,
    Strand,
    TryFrame,
    UndoFrame,
    WaitKind,
)
from ruvon.engine._inputs import merge_input
from ruvon.engine._program import ENTERED, WAITS, GraphProgram, Op, Outcome
from ruvon.engine._run import Run
from ruvon.engine._undo import Undo
from ruvon.engine._values import NONE
from ruvon.ir._errors import DefinitionError
from ruvon.ir._nodes import BREAK, CONTINUE, END, Target

__all__ = [
    "advance",
    "arrive",
    "fail",
    "finish_node",
    "forget_frame",
    "go",
    "handled_error",
    "is_fatal",
    "path_of_try",
    "record_step",
    "unwind",
]

_DEPLOYMENT: Final = (UnknownWorkflowTypeError, ProgramError, DefinitionDriftError, DefinitionError)
"""Errors of what is deployed in this process; the instance waits at the node for a better deployment."""
_SLICE: Final = 5_000
"""So many pure operations run before what there is is committed and others get a turn."""
_END_OF_STRAND: Final = Exit(ExitKind.RETURN, NONE)


def advance(run: Run, strand: Strand, *, enters: bool = True) -> Effect | None:
    """Run the strand to its next effect; None when it waits, forked, stands still or has ended.

    With `enters=False` it stops before that effect, where nothing of it has been evaluated.
    """
    frames = strand.frames
    for _ in range(_SLICE):
        frame = frames[-1]
        if isinstance(frame, ForkFrame):
            return None
        if isinstance(frame, UndoFrame):
            return Undo(strand, frame)
        op = frame.graph.ops.get(frame.pc)
        if op is None:
            _leave(run, strand, frame)
            if strand.ended is not None or run.fatal is not None:
                return None
            continue
        if run.halted is not None and frame is run.body and op.id != run.halted.route_id:
            return None
        if op.is_effect and not enters:
            return None
        outcome = _enter(run, strand, frame, op)
        if isinstance(outcome, str):
            finish_node(run, frame, op, outcome)
        elif isinstance(outcome, Effect):
            return outcome
        elif outcome is WAITS:
            run.moved = True
            return None
        elif not _apply(run, strand, outcome):
            return None
    run.moved = True
    return Slice(strand)


def _enter(run: Run, strand: Strand, frame: GraphFrame, op: Op) -> Outcome:
    try:
        return op.enter(run, strand, frame)
    except _DEPLOYMENT as exc:  # what is deployed here does not suffice: nothing that the workflow did is wrong
        return Parked(strand, exc)
    except Exception as exc:  # whatever a pure operation raises is the node's error
        return fail(run, strand, frame, op.id, exc)


def _apply(run: Run, strand: Strand, outcome: Outcome) -> bool:
    """Apply an outcome that is neither a target nor an effect; whether the strand goes on."""
    if isinstance(outcome, Exit):
        unwind(run, strand, outcome)
    return strand.ended is None and run.fatal is None


def arrive(run: Run, strand: Strand, arrival: Arrival) -> None:
    """Give a waiting strand what it waited for, and put it on the ready list."""
    wait = strand.wait
    frame = strand.frames[-1]
    if wait is None or isinstance(frame, ForkFrame | UndoFrame):
        return
    op = frame.graph.ops.get(frame.pc)
    run.waiting.pop(wait.activation, None)
    try:
        outcome = op.arrive(run, strand, frame, arrival) if op is not None else _after_last(run, strand, arrival)
    except Exception as exc:
        strand.wait = None
        outcome = fail(run, strand, frame, wait.node, exc)
    if isinstance(outcome, str) and op is not None:
        strand.wait = None
        finish_node(run, frame, op, outcome)
    elif isinstance(outcome, Exit):
        strand.wait = None
        unwind(run, strand, outcome)
    run.moved = True
    if strand.wait is not None:
        run.waiting[strand.wait.activation] = strand
    elif strand.ended is None and run.fatal is None:
        run.ready.append(strand)


def _after_last(run: Run, strand: Strand, arrival: Arrival) -> Outcome:
    """A pause behind the last node: the answer merges, and the graph ends."""
    merge_input(run, strand, arrival)
    strand.wait = None
    return ENTERED


def fail(run: Run, strand: Strand, frame: GraphFrame, node_id: str, error: Exception) -> Exit:
    """The exit of an error that a node raised."""
    record = run.record_of(error, strand, node_id, frame.activation(node_id))
    return Exit(ExitKind.FAIL, error=record)


def go(frame: GraphFrame, op: Op, target: Target) -> None:
    """Move a frame along an edge."""
    if op.back and target in op.back:
        frame.visit += 1
    frame.pc = target


def finish_node(run: Run, frame: GraphFrame, op: Op, target: Target) -> None:
    """Move a frame along an edge of a node that has finished, and stop behind it where the caller asked for one step."""
    if op.back and target in op.back:
        frame.visit += 1
    frame.pc = target
    if run.by_step and frame is run.body and op.automate is False and run.halted is None:
        run.halted = op


def record_step(
    run: Run,
    strand: Strand,
    frame: GraphFrame,
    node_id: str,
    encoded: bytes,
    *,
    kind: str = "step",
    saga: bytes | None = None,
    note: str = "",
) -> None:
    """Log that a node with a result has completed, and make it the previous step of its frame."""
    entry = run.log(kind, node_id, frame.activation(node_id), encoded, attempt=strand.attempt, saga=saga, note=note)
    previous = run.previous
    previous.pop(frame.previous, None)
    previous[entry.seq] = encoded
    frame.previous = entry.seq
    strand.result = encoded
    strand.attempt = 1
    strand.since_us = 0
    strand.unknown = False
    strand.answered = False


def path_of_try(frame: GraphFrame, op: Op) -> str:
    """The activation prefix inside a TRY: that of the frame around it, made unique where the TRY can run again."""
    return f"{frame.path}{op.id}#{frame.visit}/" if frame.visit else frame.path


def _leave(run: Run, strand: Strand, frame: GraphFrame) -> None:
    """The frame's `pc` is no node of its graph: it reached an end, or leads outward."""
    target = frame.pc
    if target == BREAK:
        unwind(run, strand, Exit(ExitKind.BREAK))
    elif target == CONTINUE:
        unwind(run, strand, Exit(ExitKind.CONTINUE))
    elif target != END:
        unwind(run, strand, Exit(ExitKind.GOTO, target=target))
    elif isinstance(frame, LoopFrame):
        if frame.op.collects:
            frame.op.collect(run, strand, frame, strand.result if frame.graph.single is not None else NONE)
        frame.op.turn(run, strand, frame)
    elif isinstance(frame, TryFrame):
        _end_of_part(run, strand, frame)
    else:
        value = strand.result if frame.graph.single is not None and strand.fork is not None else NONE
        unwind(run, strand, Exit(ExitKind.RETURN, value) if value != NONE else _END_OF_STRAND)


def _end_of_part(run: Run, strand: Strand, frame: TryFrame) -> None:
    _unbind_error(strand, frame)
    if frame.part != FINAL and frame.op.final is not None:
        frame.exit = None
        _enter_part(run, frame, FINAL, frame.op.final)
        return
    pending = frame.exit if frame.part == FINAL else None
    strand.frames.pop()
    if pending is not None:
        unwind(run, strand, pending)
        return
    around = strand.frames[-1]
    if isinstance(around, GraphFrame):
        finish_node(run, around, frame.op, frame.op.next)


def unwind(run: Run, strand: Strand, leaving: Exit) -> None:
    """Leave frames, innermost first, until something stops the exit or the strand ends."""
    run.moved = True
    if leaving.kind is ExitKind.FAIL and is_fatal(run, strand, leaving):
        if run.fatal is None:  # the first error is the one that is raised; what still ran may fail after it
            run.fatal = leaving
            run.fatal_strand = strand
        return
    strand.attempt = 1
    while not _stops(run, strand, strand.frames[-1], leaving):
        forget_frame(run, strand, strand.frames.pop())


def _stops(run: Run, strand: Strand, frame: Frame, leaving: Exit) -> bool:
    """Whether the exit stops at this frame."""
    match frame:
        case TryFrame():
            return _stops_at_try(run, strand, frame, leaving)
        case LoopFrame():
            return _stops_at_loop(run, strand, frame, leaving)
        case BodyFrame():
            if _lands(frame, leaving):
                return True
            _end_strand(run, strand, leaving)
            return True
        case ForkFrame() | UndoFrame():
            return False
        case _:
            assert_never(frame)


def _stops_at_loop(run: Run, strand: Strand, frame: LoopFrame, leaving: Exit) -> bool:
    match leaving.kind:
        case ExitKind.BREAK:
            frame.op.leave(run, strand, frame, broken=True)
        case ExitKind.CONTINUE:
            if frame.op.collects:
                frame.op.collect(run, strand, frame, NONE)
            frame.op.turn(run, strand, frame)
        case ExitKind.RETURN if frame.op.collects:
            frame.op.collect(run, strand, frame, leaving.value or NONE)
            frame.op.turn(run, strand, frame)
        case _:
            return _lands(frame, leaving)
    return True


def _stops_at_try(run: Run, strand: Strand, frame: TryFrame, leaving: Exit) -> bool:
    if _lands(frame, leaving):
        return True
    if frame.part == BODY and frame.op.saga and _undoes_scope(run, leaving):
        strand.frames[-1] = UndoFrame(frame.mark, frame.path, leaving)
        return True
    if leaving.kind is ExitKind.FAIL and leaving.error is not None and frame.part == BODY:
        for number, handler in enumerate(frame.op.handlers):
            if leaving.error.matches(handler.classes) and not leaving.rollback:
                _enter_part(run, frame, number, handler.graph)
                frame.handled = leaving.error
                if handler.name is not None:
                    strand.scope.bind(handler.name, encode_error(leaving.error))
                return True
    if frame.part != FINAL and frame.op.final is not None:
        _unbind_error(strand, frame)
        frame.exit = leaving
        if leaving.kind is ExitKind.CANCEL:
            frame.due_us = run.cleanup_due_us()
        _enter_part(run, frame, FINAL, frame.op.final)
        return True
    _unbind_error(strand, frame)
    return False


def _enter_part(run: Run, frame: TryFrame, part: int, graph: GraphProgram) -> None:
    """Begin a handler or `finally`; where an operator let the TRY begin anew, what they do is done a second time."""
    if run.begun_again and frame.part == BODY:
        frame.path = f"{frame.path}{frame.op.id}!{run.begun_again}/"
    frame.enter(part, graph)


def _undoes_scope(run: Run, leaving: Exit) -> bool:
    """Whether what completed in a saga scope is undone: after an error, and where it is cancelled, as in Python."""
    if leaving.kind is ExitKind.CANCEL:
        return run.cancelling is None or run.cancel_compensates
    return leaving.kind is ExitKind.FAIL


def _lands(frame: GraphFrame, leaving: Exit) -> bool:
    """Whether a GOTO reaches its node in this frame."""
    if leaving.kind is not ExitKind.GOTO or leaving.target not in frame.graph.ops:
        return False
    at = frame.graph.ops.get(frame.pc)
    if leaving.is_jump or (at is not None and leaving.target in at.back):
        frame.visit += 1
    frame.pc = leaving.target
    return True


def _unbind_error(strand: Strand, frame: TryFrame) -> None:
    """The name of a handler's error is unbound at its end, as in Python."""
    if frame.part >= 0:
        name = frame.op.handlers[frame.part].name
        if name is not None:
            strand.scope.unbind(name)


def forget_frame(run: Run, strand: Strand, frame: Frame) -> None:
    """Drop what a frame kept in the scope."""
    match frame:
        case LoopFrame():
            strand.scope.unbind(f"@items/{frame.base}")
            strand.scope.unbind(f"@collect/{frame.base}")
        case ForkFrame():
            strand.scope.unbind(f"@items/{frame.base}")
            run.forks.pop(frame.base, None)
            for name in [name for name in run.scopes if name.startswith(f"{frame.base}[")]:
                run.drop_scope(run.scopes[name])
        case BodyFrame() | TryFrame() | UndoFrame():
            return
        case _:
            assert_never(frame)


def handled_error(strand: Strand) -> ErrorRecord | None:
    """The error that the innermost running handler handles."""
    for frame in reversed(strand.frames):
        if isinstance(frame, TryFrame) and frame.part >= 0:
            return frame.handled
    return None


def _end_strand(run: Run, strand: Strand, leaving: Exit) -> None:
    fork = strand.fork
    if fork is not None and strand.owner is not None:
        strand.ended = leaving
        fork.op.ended(run, strand.owner, fork, strand)
        return
    undoes = leaving.rollback or (
        run.record.saga_enabled if leaving.kind is ExitKind.FAIL else run.record.saga_enabled and run.cancel_compensates
    )
    if undoes and leaving.kind in (ExitKind.FAIL, ExitKind.CANCEL):
        strand.frames[:] = [UndoFrame(0, "", leaving)]
        return
    strand.ended = leaving


def is_fatal(run: Run, strand: Strand, leaving: Exit) -> bool:
    """Whether an error ends the instance with nothing left to run, so that the position can stay for a retry."""
    if leaving.rollback or run.record.saga_enabled:
        return False
    if any(_has_final(item) or _has_child(item) for item in run.strands()):
        return False
    here: Strand | None = strand
    while here is not None:
        if any(isinstance(frame, TryFrame) and _intercepts(frame, leaving) for frame in here.frames):
            return False
        if here.fork is not None and (here.fork.op.absorbs(here.fork) or _waits_for_others(here)):
            return False
        here = here.owner
    return not any(fork.stopping for _, fork in run.forks.values())  # what is leaving already is not to begin again


def _waits_for_others(strand: Strand) -> bool:
    """Whether a PARALLEL inside a branch fails only when its running branches have ended: another may fail before."""
    fork, owner = strand.fork, strand.owner
    if fork is None or owner is None or owner.fork is None:
        return False
    return any(other is not strand and other.running for other in fork.branches.values())


def _has_final(strand: Strand) -> bool:
    return any(
        isinstance(frame, TryFrame) and frame.op.final is not None and frame.part != FINAL for frame in strand.frames
    )


def _has_child(strand: Strand) -> bool:
    """Whether a child is awaited, which is to be cancelled."""
    return strand.wait is not None and strand.wait.kind is WaitKind.CHILD


def _intercepts(frame: TryFrame, leaving: Exit) -> bool:
    if frame.part != BODY or leaving.error is None:
        return False
    return frame.op.saga or any(leaving.error.matches(handler.classes) for handler in frame.op.handlers)
