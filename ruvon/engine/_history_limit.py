"""`history=`: the log of an instance is cut off behind itself, and nothing that is still needed goes with it.

The log is cut each time that its numbers pass a multiple of half the limit, back to the multiple before. So no two drives
need to agree on anything, and at most `history` entries are kept after any commit, without those of the saga log, which
the store keeps. The transition that cuts writes a snapshot: what stays can be loaded, and rewound to, from the snapshot
that the cut before has written.

The only values that a live position refers to by log entry are results of the steps that finished last in their graphs
(`context.previous_step_result`). They may be much older than any limit: a device that loops for years finished the step
before its loop years ago. So a snapshot of a cut keeps them as hidden variables of the outermost scope.
"""

from ruvon.engine._frames import GraphFrame
from ruvon.engine._run import Run

__all__ = ["forget_before", "keep_previous", "previous_name"]

_PREVIOUS = "@previous/"


def previous_name(seq: int) -> str:
    """The hidden variable that keeps the result of a log entry."""
    return f"{_PREVIOUS}{seq}"


def forget_before(run: Run) -> int:
    """The log entry from which on the log is kept, where the transition that is being built cuts it; else 0."""
    limit = run.program.definition.history
    if limit is None:
        return 0
    part = max(limit // 2, 1)
    passed = run.last_seq // part
    if passed == run.record.last_seq // part:
        return 0
    return max((passed - 1) * part, run.last_seq - limit + 1, 0)


def keep_previous(run: Run) -> None:
    """Drop results that no live frame refers to, and put the others where the snapshot takes them."""
    frames = [frame for strand in run.strands() for frame in strand.frames if isinstance(frame, GraphFrame)]
    run.previous = {frame.previous: run.previous[frame.previous] for frame in frames if frame.previous in run.previous}
    if run.program.definition.history is None:
        return
    variables = run.root.scope.variables  # changed without a delta: the snapshot takes its place
    for name in [name for name in variables if name.startswith(_PREVIOUS)]:
        del variables[name]
    variables.update((previous_name(seq), result) for seq, result in run.previous.items())
