"""The position as bytes: small, without values, and exact.

A position is JSON of nested lists. The common case, a body with nothing above it, is written without any of that. What
is not in it is found elsewhere: values in the scopes, the items of loops and the results of finished branches under
hidden names there, and what is left of a rollback in the log.
"""

from collections.abc import Iterable
from typing import Any, cast

import orjson

from ruvon.engine._error_records import ErrorRecord
from ruvon.engine._frames import (
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
    WaitState,
)
from ruvon.engine._program import ForkOp, LoopOp, TryOp
from ruvon.engine._run import Run

__all__ = ["decode_position", "encode_position", "ranges", "unranged"]


def encode_position(run: Run) -> bytes:
    """The position of a run."""
    root = run.root
    if root.wait is None and _is_plain(run, root):
        frames = root.frames
        if len(frames) == 1:
            frame = run.body
            return orjson.dumps([frame.pc, frame.visit, frame.previous])
        return orjson.dumps([_frame(frame) for frame in frames])
    return orjson.dumps(
        {
            "root": _strand(root),
            "epoch": run.epoch,
            "cancel": run.cancelling,
            "cancel_error": run.cancel_error.to_tree() if run.cancel_error is not None else None,
            "timeout_us": run.timeout_us,
            "begun_again": run.begun_again,
            "rests": run.rests or run.halted is not None,
            "compensates": run.cancel_compensates,
            "fatal": _exit(run.fatal),
            "undone_not": run.failed_compensations,
            "ended": _exit(root.ended),
            "children": {name: orjson.Fragment(data) for name, data in run.child_results.items()},
        }
    )


def _is_plain(run: Run, root: Strand) -> bool:
    return bool(
        root.attempt == 1
        and root.frames
        and root.frames[0] is run.body
        and root.ended is None
        and not root.answered
        and not run.epoch
        and run.cancelling is None
        and (run.timeout_us is None or run.timeout_us == run.own_timeout_us())
        and not run.rests
        and not run.begun_again
        and run.halted is None
        and run.fatal is None
        and not run.failed_compensations
        and not run.child_results
    )


def ranges(numbers: Iterable[int]) -> list[int]:
    """Sorted numbers as pairs of first and last, flat: {1, 2, 3, 7} gives [1, 3, 7, 7]."""
    found: list[int] = []
    for number in sorted(numbers):
        if found and found[-1] == number - 1:
            found[-1] = number
        else:
            found += [number, number]
    return found


def unranged(pairs: list[int]) -> set[int]:
    """The inverse of `ranges`."""
    return {number for i in range(0, len(pairs), 2) for number in range(pairs[i], pairs[i + 1] + 1)}


def _strand(strand: Strand) -> list[object]:
    tree: list[object] = [[_frame(frame) for frame in strand.frames], _wait(strand.wait)]
    if strand.attempt != 1 or strand.since_us or strand.unknown or strand.answered:
        tree.append([strand.attempt, strand.since_us, strand.unknown, strand.answered])
    return tree


def _frame(frame: Frame) -> list[object]:
    match frame:
        case BodyFrame():
            return ["b", frame.pc, frame.visit, frame.previous]
        case LoopFrame():
            return ["l", frame.op.id, frame.base, frame.index, frame.pc, frame.visit, frame.previous]
        case TryFrame():
            handled = frame.handled.to_tree() if frame.handled is not None else None
            where: list[object] = [frame.path, frame.part, frame.mark, _exit(frame.exit), handled]
            last = [frame.pc, frame.visit, frame.previous]
            return (
                ["t", frame.op.id, *where, *last]
                if frame.due_us is None
                else ["t", frame.op.id, *where, *last, frame.due_us]
            )
        case ForkFrame():
            return _fork(frame)
        case UndoFrame():
            return ["u", frame.mark, frame.prefix, _exit(frame.exit), frame.failed, frame.undone, frame.child_ended]


def _fork(frame: ForkFrame) -> list[object]:
    # A stopping PARALLEL starts nothing more, so whoever is there runs, and must be there again after a reload.
    begun = {index: strand for index, strand in frame.branches.items() if frame.stopping or _has_begun(strand)}
    return [
        "f",
        frame.op.id,
        frame.base,
        frame.count,
        ranges(frame.done),
        [[index, error.to_tree()] for index, error in frame.failed.items()],
        [[index, _strand(strand)] for index, strand in begun.items()],
        frame.limit,
        frame.stopping,
        frame.winner,
        frame.due_us,
    ]


def _has_begun(strand: Strand) -> bool:
    """Whether a branch stands anywhere but at its beginning; one that does not needs no place in the position."""
    frame = strand.frames[0]
    at_entry = len(strand.frames) == 1 and isinstance(frame, GraphFrame) and frame.pc == frame.graph.entry
    return not (at_entry and frame.visit == 0 and strand.wait is None and strand.attempt == 1)  # type: ignore[union-attr]


def _exit(leaving: Exit | None) -> list[object] | None:
    if leaving is None:
        return None
    value = orjson.Fragment(leaving.value) if leaving.value is not None else None
    error = leaving.error.to_tree() if leaving.error is not None else None
    return [leaving.kind.value, [value], error, leaving.target, leaving.is_jump, leaving.rollback, leaving.reason]


def _wait(wait: WaitState | None) -> list[object] | None:
    if wait is None:
        return None
    show = orjson.Fragment(wait.show) if wait.show is not None else None
    return [
        wait.kind.value,
        wait.activation,
        wait.node,
        wait.due_us,
        wait.name,
        wait.key,
        wait.attempt,
        wait.since_us,
        wait.child_status,
        show,
        wait.asked,
        wait.unknown,
        wait.revision,
    ]


# Reading


def decode_position(run: Run, data: bytes) -> None:
    """Put a run at a stored position; scopes of branches are made and are to be filled afterwards."""
    tree: Any = orjson.loads(data)
    if data.startswith(b"["):
        _fill_plain(run, tree)
        return
    run.epoch = tree["epoch"]
    run.cancelling = tree["cancel"]
    run.cancel_compensates = tree["compensates"]
    if (
        error := tree.get("cancel_error")
    ) is not None:  # positions that were stored before there was a timeout lack these
        run.cancel_error = ErrorRecord.of_tree(error)
    run.timeout_us = tree.get("timeout_us", run.timeout_us)
    run.begun_again = tree.get("begun_again", 0)
    run.rests = tree.get("rests", False)
    run.fatal = _to_exit(tree["fatal"])
    run.failed_compensations = tree["undone_not"]
    run.child_results = {name: orjson.dumps(value) for name, value in tree["children"].items()}
    _fill(run, run.root, tree["root"])
    run.root.ended = _to_exit(tree["ended"])


def _fill_plain(run: Run, tree: list[Any]) -> None:
    """The short forms: the body alone, or the body's frames."""
    if isinstance(tree[0], str):
        run.body.pc, run.body.visit, run.body.previous = tree
        return
    for item in tree:
        _fill_frame(run, run.root, item)


def _fill(run: Run, strand: Strand, tree: list[Any]) -> None:
    frames, wait = tree[0], tree[1]
    if len(tree) > 2:
        strand.attempt, strand.since_us, strand.unknown, strand.answered = tree[2]
    for item in frames:
        _fill_frame(run, strand, item)
    strand.wait = _to_wait(wait)
    if strand.wait is not None:
        run.waiting[strand.wait.activation] = strand


def _fill_frame(run: Run, strand: Strand, tree: list[Any]) -> None:
    frames = strand.frames
    match tree[0]:
        case "b":
            frame = cast("GraphFrame", frames[0])
            frame.pc, frame.visit, frame.previous = tree[1:]
        case "l":
            op = cast("LoopOp", run.program.ops[tree[1]])
            loop = LoopFrame(op, tree[2], tree[3])
            loop.pc, loop.visit, loop.previous = tree[4:]
            frames.append(loop)
        case "t":
            frames.append(_to_try(run, tree))
        case "f":
            _fill_fork(run, strand, tree)
        case _:
            undo = UndoFrame(tree[1], tree[2], cast("Exit", _to_exit(tree[3])))
            undo.failed, undo.undone, undo.child_ended = tree[4:]
            if strand is run.root and frames == [run.body] and tree[1] == 0:
                frames.clear()
            frames.append(undo)


def _to_try(run: Run, tree: list[Any]) -> TryFrame:
    op = cast("TryOp", run.program.ops[tree[1]])
    frame = TryFrame(op, tree[2], tree[4])
    frame.part = tree[3]
    frame.graph = op.part(frame.part)
    frame.exit = _to_exit(tree[5])
    frame.handled = ErrorRecord.of_tree(tree[6]) if tree[6] is not None else None
    frame.pc, frame.visit, frame.previous = tree[7:10]
    frame.due_us = tree[10] if len(tree) > 10 else None
    return frame


def _fill_fork(run: Run, owner: Strand, tree: list[Any]) -> None:
    op = cast("ForkOp", run.program.ops[tree[1]])
    fork = ForkFrame(op, tree[2], tree[3])
    fork.done = unranged(tree[4])
    fork.failed = {index: ErrorRecord.of_tree(item) for index, item in tree[5]}
    fork.limit, fork.stopping, fork.winner, fork.due_us = tree[7:]
    owner.frames.append(fork)
    run.forks[fork.base] = (owner, fork)
    for index, item in tree[6]:
        run.loading.append((owner, fork, index, item))


def load_branches(run: Run) -> None:
    """Make the strands of begun branches, outermost first; run after their owners' scopes are filled."""
    while run.loading:
        owner, fork, index, item = run.loading.pop(0)
        if fork.op.branches:
            _load_ended(run, owner, fork)
        strand = fork.op.branch_scope(run, owner, fork, index)
        fork.branches[index] = strand
        run.stored.fill(strand.scope)
        _fill(run, strand, item)
    for _, fork in run.forks.values():
        fork.unbegun = fork.op.first_to_start(fork) is not None


def _load_ended(run: Run, owner: Strand, fork: ForkFrame) -> None:
    """The scopes of branches that have ended, which those that come after them begin with."""
    for index in fork.done:
        name = f"{fork.base}[{fork.op.label(index)}]/"
        if name not in run.scopes and name in run.stored.trees:
            run.stored.fill(run.new_scope(name, owner.scope))


def _to_exit(tree: list[Any] | None) -> Exit | None:
    if tree is None:
        return None
    kind, (value,), error, target, is_jump, rollback, reason = tree
    return Exit(
        ExitKind(kind),
        orjson.dumps(value) if ExitKind(kind) in (ExitKind.RETURN, ExitKind.REWIND) else None,
        ErrorRecord.of_tree(error) if error is not None else None,
        target,
        is_jump,
        rollback,
        reason,
    )


def _to_wait(tree: list[Any] | None) -> WaitState | None:
    if tree is None:
        return None
    kind, activation, node, due, name, key, attempt, since, status, show, asked, unknown, *later = tree
    return WaitState(
        WaitKind(kind),
        activation,
        node,
        due,
        name,
        key,
        attempt,
        since,
        status,
        orjson.dumps(show) if show is not None else None,
        asked,
        unknown,
        *later,  # positions that were stored before there was a revision have none
    )
