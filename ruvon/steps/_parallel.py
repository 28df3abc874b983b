"""PARALLEL: branches side by side, with the rules of a task group.

Every branch runs in a scope of its own, which begins with the state of the fork and of the branches it comes after. The
results of branches that have ended lie in their scopes under hidden names until the join, so that a commit while others
still run writes nothing of them again. The join merges the branches' write sets in branch order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast, final

from ruvon.engine import (
    ENTERED,
    BodyFrame,
    BranchWrites,
    Compiler,
    ErrorRecord,
    Exit,
    ExitKind,
    ForkBranch,
    ForkFrame,
    ForkOp,
    GraphFrame,
    Outcome,
    Run,
    Scope,
    Strand,
    bind_variable,
    fail,
    finish_node,
    forget_frame,
    is_cleaning_up,
    leave_fork,
    merge_branches,
    record_error,
    stop_strand,
    unwind,
)
from ruvon.engine._state import Table
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Join, Merge, MergeConflict, Node, OnFailure, Parallel
from ruvon.ir.expr import Name
from ruvon.models import Batch, Failure, StepFailed, TimedOut, Won
from ruvon.steps._early import trial_of
from ruvon.steps._loop import freeze_items, frozen_items

__all__ = ["ParallelStep"]

_RESULT = "@result"
_ERROR = "@error"


@final
class ParallelStep(ForkOp):
    """PARALLEL of all kinds: static, mapped, with dependencies, racing."""

    __slots__ = (
        "_outputs",
        "action",
        "batch_size",
        "item",
        "limit",
        "merge_function",
        "output",
        "over",
        "tolerate",
        "trial",
    )

    def __init__(self, node: Node, action: Parallel, compiler: Compiler) -> None:
        super().__init__(node)
        self.action = action
        labels = [branch.label for branch in action.branches]
        self.branches = tuple(
            ForkBranch(
                branch.label,
                compiler.graph(branch.graph),
                tuple(labels.index(label) for label in branch.after),
                compiler.target(branch.output),
                branch.won,
            )
            for branch in action.branches
        )
        self._outputs = tuple(
            branch.output.id if isinstance(branch.output, Name) else None for branch in action.branches
        )
        self.body = compiler.graph(action.body) if action.body is not None else None
        self.over = compiler.maybe(action.over)
        self.item = compiler.target(action.item)
        self.limit = compiler.maybe(action.limit)
        self.batch_size = compiler.maybe(action.batch_size)
        self.tolerate = compiler.maybe(action.tolerate)
        self.output = compiler.target(action.output)
        self.trial = trial_of(action, compiler)
        path = action.merge.function
        self.merge_function = compiler.function(path).call if path is not None else None

    def absorbs(self, fork: ForkFrame) -> bool:
        """With COLLECT a branch's failure is a result."""
        return self.action.on_failure is OnFailure.COLLECT

    # Beginning

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Freeze the items and begin the first branches."""
        base = frame.activation(self.id)
        env = run.env(strand)
        if self.trial is not None:
            self.trial(env)
        items: list[object] | range | None = None
        limit = cast("int | None", self.limit(env)) if self.limit is not None else None
        if self.batch_size is not None:
            limit = -cast("int", self.batch_size(env))  # negative: a barrier, not a window
        if limit == 0:
            raise ValueError(f"`{self.id}` may run no branch at all: its limit is 0")
        if self.over is not None:
            items = freeze_items(run, strand, f"@items/{base}", self.over(env))
        fork = ForkFrame(self, base, len(items) if items is not None else len(self.branches))
        fork.items = items
        fork.limit = limit
        if self.action.timeout_us is not None:
            fork.due_us = run.now_us() + self.action.timeout_us
        run.forks[base] = (strand, fork)
        strand.frames.append(fork)
        self.begin(run, strand, fork)
        return ENTERED

    def begin(self, run: Run, owner: Strand, fork: ForkFrame) -> None:
        """Find the branches that have not ended, and start those that may run."""
        fork.unbegun = False
        begun = fork.done | set(fork.failed) | set(fork.branches)
        fork.waiting_start = [index for index in range(fork.count - 1, -1, -1) if index not in begun]
        if fork.stopping:
            fork.waiting_start.clear()
        self._start_more(run, owner, fork)
        self._join_if_over(run, owner, fork)

    def _start_more(self, run: Run, owner: Strand, fork: ForkFrame) -> None:
        if self.branches and fork.failed:
            self._give_up(fork)
        end, room = _room(fork, fork.waiting_start[-1]) if fork.waiting_start else (0, 0)
        held: list[int] = []
        while room > 0 and fork.waiting_start and fork.waiting_start[-1] < end:
            index = fork.waiting_start.pop()
            if self._is_held(fork, index):
                held.append(index)
                continue
            self._start(run, owner, fork, index)
            room -= 1
        fork.waiting_start.extend(reversed(held))

    def _is_held(self, fork: ForkFrame, index: int) -> bool:
        return bool(self.branches) and any(before not in fork.done for before in self.branches[index].after)

    def first_to_start(self, fork: ForkFrame) -> int | None:
        """The first branch that `begin` would start."""
        begun = fork.done | set(fork.failed) | set(fork.branches)
        waiting = (index for index in range(fork.count) if index not in begun and not self._is_held(fork, index))
        first = next(waiting, None)
        if fork.stopping or first is None:
            return None
        end, room = _room(fork, first)
        return first if room > 0 and first < end else None

    def _give_up(self, fork: ForkFrame) -> None:
        """Branches that come after one that failed can never start: they fail with its error."""
        lost = fork.failed
        while lost:
            lost = {
                index: fork.failed[before]
                for index in fork.waiting_start
                for before in reversed(self.branches[index].after)
                if before in fork.failed
            }
            fork.failed.update(lost)
            fork.waiting_start = [index for index in fork.waiting_start if index not in lost]

    def _start(self, run: Run, owner: Strand, fork: ForkFrame, index: int) -> None:
        strand = self.branch_scope(run, owner, fork, index)
        fork.branches[index] = strand
        if strand.scope.name in run.stored.trees:
            run.stored.fill(strand.scope)  # it stood at its beginning when the process died
        else:
            self._give_item(run, owner, fork, strand)
        run.ready.append(strand)

    def _give_item(self, run: Run, owner: Strand, fork: ForkFrame, strand: Strand) -> None:
        if self.item is not None:
            items = self._items(run, owner, fork)
            self.item(run, strand, copy_value(items[strand.index]))
        if self.action.index is not None:
            bind_variable(run, strand, self.action.index, strand.index)

    def _items(self, run: Run, owner: Strand, fork: ForkFrame) -> "list[object] | range":
        if fork.items is None:
            fork.items = frozen_items(run, owner, f"@items/{fork.base}")
        return fork.items

    def branch_scope(self, run: Run, owner: Strand, fork: ForkFrame, index: int) -> Strand:
        """A strand at the beginning of a branch."""
        path = f"{fork.base}[{self.label(index)}]/"
        scope = run.scopes.get(path) or run.new_scope(path, owner.scope)
        earlier = self._earlier(index)
        if earlier:
            scope.fields = {**self._start_of(run, owner, fork, index), **scope.own}
            for before in earlier:
                self._see(run, fork, scope, before)
        strand = Strand(scope, fork=fork, owner=owner, index=index)
        strand.frames.append(BodyFrame(self.graph_of(index), path))
        return strand

    def _see(self, run: Run, fork: ForkFrame, scope: Scope, before: int) -> None:
        other = self._scope_of(run, fork, before)
        output = self._outputs[before]
        result = other.bytes_of(_RESULT) or b"null"
        outputs: list[tuple[str, bytes]] = []
        if output is not None:
            types = run.program.types
            outputs.append((output, types.variable(output).encode(types.dynamic.decode(result))))
        scope.see(other, outputs)

    def _scope_of(self, run: Run, fork: ForkFrame, index: int) -> Scope:
        return run.scopes[f"{fork.base}[{self.label(index)}]/"]

    # Ending

    def ended(self, run: Run, owner: Strand, fork: ForkFrame, strand: Strand) -> None:
        """A branch has ended: keep what it leaves, then start others, stop, or join."""
        leaving = strand.ended
        fork.branches.pop(strand.index, None)
        run.moved = True
        if leaving is None or leaving.kind is ExitKind.CANCEL:
            self._after_end(run, owner, fork)
            return
        if leaving.kind is ExitKind.FAIL and leaving.error is not None:
            fork.failed[strand.index] = leaving.error
            if self.action.on_failure is OnFailure.CANCEL and not fork.stopping:
                self._stop(run, owner, fork, strand.index)
        else:
            strand.scope.bind(_RESULT, leaving.value or b"null")
            fork.done.add(strand.index)
            if self.action.join is Join.FIRST and fork.winner is None and not fork.stopping:
                self._stop(run, owner, fork, strand.index)
        self._after_end(run, owner, fork)

    def _after_end(self, run: Run, owner: Strand, fork: ForkFrame) -> None:
        if not fork.stopping:
            self._start_more(run, owner, fork)
        self._join_if_over(run, owner, fork)

    def _stop(self, run: Run, owner: Strand, fork: ForkFrame, winner: int | None) -> None:
        """Start nothing more; branches that wait leave now.

        What runs is cancelled where it lost a race; after a failure it comes to its end, so that it can be undone.
        """
        fork.stopping = True
        fork.winner = winner
        fork.waiting_start.clear()
        for branch in list(fork.branches.values()):
            if branch.running and self.action.join is Join.ALL:
                branch.stopped = True
            else:
                stop_strand(run, branch)

    def _join_if_over(self, run: Run, owner: Strand, fork: ForkFrame) -> None:
        if fork.branches or fork.waiting_start or owner.frames[-1] is not fork:
            return
        leaves = run.cancelling is not None and not is_cleaning_up(owner)
        if leaves or (fork.stopping and fork.winner is None and fork.due_us != -1):
            leave_fork(run, owner, fork)
            return
        around = cast("GraphFrame", owner.frames[-2])
        try:
            leaving = self._join(run, owner, fork)
        except Exception as exc:  # a conflict, or an output that does not fit, is the node's own error
            leaving = fail(run, owner, around, self.id, exc)
        if leaving is not None:
            unwind(run, owner, leaving)
        run.resume(owner)

    def expired(self, run: Run, owner: Strand, fork: ForkFrame) -> None:
        """The timeout has passed: stop everything, then raise `TimedOut`."""
        fork.due_us = -1
        fork.stopping = True
        fork.waiting_start.clear()
        for branch in list(fork.branches.values()):
            stop_strand(run, branch)
        self._join_if_over(run, owner, fork)

    # Joining

    def _join(self, run: Run, owner: Strand, fork: ForkFrame) -> Exit | None:
        """Merge and bind; or the exit of the failure."""
        around = cast("GraphFrame", owner.frames[-2])
        if fork.due_us == -1:
            return fail(run, owner, around, self.id, TimedOut(self.title))
        if fork.failed and self.action.on_failure is OnFailure.CANCEL:
            first = next(iter(fork.failed.values()))
            return Exit(ExitKind.FAIL, error=first)
        if self._too_many_failed(run, owner, fork):
            return Exit(ExitKind.FAIL, error=self._failure_of_all(run, fork))
        results = self._results(run, fork)
        writes = self._merged(run, owner, fork, results)
        outputs = self._outputs_of(run, fork)
        forget_frame(run, owner, owner.frames.pop())
        owner.scope.write_state(writes)
        for write, value in outputs:
            write(run, owner, value)
        value = self._value(fork, results)
        owner.result = run.program.types.dynamic.encode(value, f"the result of {self.id}")
        if self.output is not None:
            self.output(run, owner, value)
        finish_node(run, around, self, self.next)
        return None

    def _too_many_failed(self, run: Run, owner: Strand, fork: ForkFrame) -> bool:
        if not fork.failed or self.action.on_failure is not OnFailure.COLLECT or self.tolerate is None:
            return False
        share = float(self.tolerate(run.env(owner)))
        return len(fork.failed) > share * fork.count

    def _failure_of_all(self, run: Run, fork: ForkFrame) -> ErrorRecord:
        first = next(iter(fork.failed.values()))
        message = f"{len(fork.failed)} of {fork.count} branches of `{self.title}` failed, first with: {first.message}"
        failure = StepFailed(message, "TooManyFailed")
        return record_error(failure, run.program.types.dynamic, step=self.id).caused_by(first)

    def _results(self, run: Run, fork: ForkFrame) -> dict[int, object]:
        dynamic = run.program.types.dynamic
        found: dict[int, object] = {}
        for index in sorted(fork.done):
            if self.action.join is Join.FIRST and index != fork.winner:
                continue
            data = self._scope_of(run, fork, index).bytes_of(_RESULT) or b"null"
            value = dynamic.decode(data)
            found[index] = Won(self.label(index), value) if self.branches and self.branches[index].won else value
        return found

    def _merged(self, run: Run, owner: Strand, fork: ForkFrame, results: dict[int, object]) -> Table:
        state = run.program.types.state
        table = owner.scope.fields
        if self.merge_function is not None:
            made = self.merge_function([results[index] for index in sorted(results)])
            return state.apply(None, table, cast("Mapping[str, object]", made or {}), self.id, strict=False)
        return self._writes_of(run, owner, fork, sorted(results), self.action.merge)

    def _writes_of(self, run: Run, owner: Strand, fork: ForkFrame, indices: Iterable[int], merge: Merge) -> Table:
        """What branches that have ended wrote, joined."""
        branches: list[BranchWrites] = []
        for index in indices:
            own = self._scope_of(run, fork, index).own
            if own:
                seen = frozenset(map(self.label, self._earlier(index)))
                branches.append(BranchWrites(self.label(index), self._start_of(run, owner, fork, index), own, seen))
        return merge_branches(run.program.types.state, owner.scope.fields, branches, merge) if branches else {}

    def _start_of(self, run: Run, owner: Strand, fork: ForkFrame, index: int) -> Table:
        """The state that a branch begins with: that of the fork and of the branches it comes after."""
        earlier = self._earlier(index)
        if not earlier:
            return owner.scope.fields
        if index not in fork.starts:
            later_wins = replace(self.action.merge, conflict=MergeConflict.PREFER_NEW)
            fork.starts[index] = owner.scope.fields | self._writes_of(run, owner, fork, earlier, later_wins)
        return fork.starts[index]

    def _earlier(self, index: int) -> list[int]:
        """The branches that one comes after, at any distance, in branch order."""
        pending = list(self.branches[index].after) if self.branches else []
        found: set[int] = set()
        while pending:
            before = pending.pop()
            if before not in found:
                found.add(before)
                pending.extend(self.branches[before].after)
        return sorted(found)

    def _outputs_of(self, run: Run, fork: ForkFrame) -> list[tuple[Any, object]]:
        if not self.branches:
            return []
        results = self._results(run, fork)
        return [
            (branch.output, results.get(index))
            for index, branch in enumerate(self.branches)
            if branch.output is not None and index in results
        ]

    def _value(self, fork: ForkFrame, results: dict[int, object]) -> object:
        if self.action.join is Join.FIRST:
            return results.get(fork.winner if fork.winner is not None else -1)
        if self.action.on_failure is OnFailure.COLLECT:
            failures = [Failure(index, error.kind, error.message) for index, error in sorted(fork.failed.items())]
            return Batch([results[index] for index in sorted(results)], failures)
        values = [results[index] for index in sorted(results)]
        return tuple(values) if self.branches else values


def _room(fork: ForkFrame, first: int) -> tuple[int, int]:
    """The branch before which starting ends, where `first` is the next to start, and how many may start."""
    if fork.limit is not None and fork.limit < 0:
        window = -fork.limit
        return (min([*fork.branches, first]) // window + 1) * window, window
    return fork.count, (fork.limit or fork.count) - len(fork.branches)
