"""The kit is itself tested: deliberately broken engines and stores, each of which it must catch under faults."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from ruvon.engine import _brake, _cancel, _context, _drive, _engine, _inbox, _load, _position, _scope, _undo
from ruvon.engine._frames import ForkFrame, LoopFrame, Strand, TryFrame
from ruvon.engine._run import Run
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import InboxEntry, Transition
from ruvon.testing import CrashExplorer, FindingKind
from tests.simulation.cases import CANCELLED_SCOPE, CASES, answered, paid, scenario

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """One broken engine."""

    name: str
    case: str
    patch: Patch
    kinds: frozenset[FindingKind]
    """How it shows; one of these must be found."""
    always: bool = False
    """It shows without faults, too, so its runs are held against those of the sound engine."""


LOST, REPEATED, DIVERGED, UNSTEADY = FindingKind.LOST, FindingKind.REPEATED, FindingKind.DIVERGED, FindingKind.UNSTEADY
RAISED, UNCOMMITTED, NOT_IDEMPOTENT, STUCK = (
    FindingKind.RAISED,
    FindingKind.UNCOMMITTED,
    FindingKind.NOT_IDEMPOTENT,
    FindingKind.STUCK,
)


def _commits_late(patch: pytest.MonkeyPatch) -> None:
    """Steps are committed only every other time."""
    patch.setattr(Run, "commits_now", lambda self, *_: self.last_seq % 2 == 0)


def _forgets_log(patch: pytest.MonkeyPatch) -> None:
    """The store drops the log entries of every third transition."""
    inner = MemoryPersistenceProvider.commit

    async def commit(self: Any, transition: Transition, /) -> None:
        entries = [] if transition.revision % 3 == 2 else transition.entries
        await inner(self, replace(transition, entries=entries))

    patch.setattr(MemoryPersistenceProvider, "commit", commit)


def _writes_row_only(patch: pytest.MonkeyPatch) -> None:
    """The store keeps messages although the transition consumed them."""
    inner = MemoryPersistenceProvider.commit

    async def commit(self: Any, transition: Transition, /) -> None:
        await inner(self, replace(transition, consumed=()))

    patch.setattr(MemoryPersistenceProvider, "commit", commit)


def _ignores_dedup(patch: pytest.MonkeyPatch) -> None:
    """A message that is sent twice is stored twice."""
    inner = MemoryPersistenceProvider.append_inbox
    turns = itertools.count()

    async def append(self: Any, entry: InboxEntry, /) -> bool:
        fresh = replace(entry, dedup=f"{entry.dedup}/{next(turns)}" if entry.dedup else None)
        return bool(await inner(self, fresh))

    patch.setattr(MemoryPersistenceProvider, "append_inbox", append)


def _key_of_process(patch: pytest.MonkeyPatch) -> None:
    """Idempotency keys are new in every process."""
    inner = _context.idempotency_key

    def key(self: Any) -> str:
        return inner(self._run.id, f"{self._activation}/{self._run.services.store.process.life}")

    patch.setattr(_context.RunContext, "idempotency_key", key)


def _loses_deltas(patch: pytest.MonkeyPatch) -> None:
    """Loading ignores the newest delta."""
    inner = _scope.StoredScopes.apply
    patch.setattr(
        _scope.StoredScopes,
        "apply",
        lambda self, delta: inner(self, b"") if b'"total"' in delta else inner(self, delta),
    )


def _loses_turn(patch: pytest.MonkeyPatch) -> None:
    """A loop is loaded one turn behind."""
    inner = _position._fill_frame

    def fill(run: Run, strand: Strand, tree: list[Any]) -> None:
        inner(run, strand, tree)
        frame = strand.frames[-1]
        if isinstance(frame, LoopFrame) and frame.index > 0:
            strand.frames[-1] = again = LoopFrame(frame.op, frame.base, frame.index - 1)
            again.pc, again.visit, again.previous = frame.pc, frame.visit, frame.previous

    patch.setattr(_position, "_fill_frame", fill)


def _loses_visit(patch: pytest.MonkeyPatch) -> None:
    """A cycle is loaded at its first visit."""
    inner = _position.decode_position

    def decode(run: Run, data: bytes) -> None:
        inner(run, data)
        run.body.visit = 0

    patch.setattr(_load, "decode_position", decode)


def _loses_branches(patch: pytest.MonkeyPatch) -> None:
    """Branches that have ended are forgotten."""
    inner = _position._fork

    def fork(frame: ForkFrame) -> list[object]:
        tree = inner(frame)
        tree[4] = []
        return tree

    patch.setattr(_position, "_fork", fork)


def _loses_running_branches(patch: pytest.MonkeyPatch) -> None:
    """A stopping PARALLEL forgets who was still running."""
    inner = _position._fork

    def fork(frame: ForkFrame) -> list[object]:
        tree = inner(frame)
        if frame.stopping:
            tree[6] = []
        return tree

    patch.setattr(_position, "_fork", fork)


def _loses_attempt(patch: pytest.MonkeyPatch) -> None:
    """The number of the next attempt is forgotten."""
    inner = _position._to_wait

    def wait(tree: list[Any] | None) -> Any:
        found = inner(tree)
        if found is not None:
            found.attempt = 1
        return found

    patch.setattr(_position, "_to_wait", wait)


def _loses_due(patch: pytest.MonkeyPatch) -> None:
    """Timers are loaded without their moment."""
    inner = _position._to_wait

    def wait(tree: list[Any] | None) -> Any:
        found = inner(tree)
        if found is not None:
            found.due_us = None
        return found

    patch.setattr(_position, "_to_wait", wait)


def _restarts_timers(patch: pytest.MonkeyPatch) -> None:
    """A sleep begins anew in each process."""
    inner = _load.load_run

    async def load(services: Any, kept: Any, program: Any) -> Run:
        run = await inner(services, kept, program)
        for strand in run.waiting.values():
            if strand.wait is not None and strand.wait.due_us is not None:
                strand.wait.due_us += 400 * 86_400_000_000
        return run

    patch.setattr(_engine, "load_run", load)


def _loses_exit(patch: pytest.MonkeyPatch) -> None:
    """What a `finally` must go on with is forgotten."""
    inner = _position._to_try

    def made(run: Run, tree: list[Any]) -> TryFrame:
        frame = inner(run, tree)
        frame.exit = None
        return frame

    patch.setattr(_position, "_to_try", made)


def _loses_handled(patch: pytest.MonkeyPatch) -> None:
    """A handler forgets that it is one and runs as the body."""
    inner = _position._to_try

    def made(run: Run, tree: list[Any]) -> TryFrame:
        frame = inner(run, [*tree[:3], -1, *tree[4:]])
        frame.pc = frame.graph.entry
        return frame

    patch.setattr(_position, "_to_try", made)


def _undoes_again(patch: pytest.MonkeyPatch) -> None:
    """A rollback that goes on undoes everything once more."""

    async def entries(run: Run, after: int) -> list[Any]:
        found = await run.services.store.read_log(run.record.workflow_id, after=after, saga=True)
        return [item for item in found if b'"undo":' not in (item.saga or b"")[:8]]

    patch.setattr(_undo, "open_entries", entries)


def _undoes_nothing_unknown(patch: pytest.MonkeyPatch) -> None:
    """What a lost process may have done is not remembered."""
    patch.setattr(_cancel, "_note_unknown", lambda run, strand: None)
    inner = _position._fork

    def fork(frame: ForkFrame) -> list[object]:
        tree = inner(frame)
        tree[6] = [] if frame.stopping else tree[6]
        return tree

    patch.setattr(_position, "_fork", fork)


def _loses_cancel(patch: pytest.MonkeyPatch) -> None:
    """A cancellation that has begun is forgotten."""
    inner = _position.decode_position

    def decode(run: Run, data: bytes) -> None:
        inner(run, data)
        run.cancelling = None

    patch.setattr(_load, "decode_position", decode)


def _swallows_store_errors(patch: pytest.MonkeyPatch) -> None:
    """A commit that failed counts as written."""
    from ruvon.testing import InjectedFaultError

    inner = _drive.Drive._flush

    async def flush(self: Any) -> None:
        try:
            await inner(self)
        except InjectedFaultError:
            self._error = None
            self._committed += 1
            self.run.record.revision += 1

    patch.setattr(_drive.Drive, "_flush", flush)


def _ignores_brake(patch: pytest.MonkeyPatch) -> None:
    """Deaths are counted, and nothing comes of it."""
    inner = _brake.count_crash
    patch.setattr(_engine, "count_crash", lambda run, budget: inner(run, None))


def _brakes_early(patch: pytest.MonkeyPatch) -> None:
    """One death too few is enough."""
    inner = _brake.count_crash
    patch.setattr(_engine, "count_crash", lambda run, budget: inner(run, budget - 1))


def _overlooks_beginnings(patch: pytest.MonkeyPatch) -> None:
    """Branches that stand at their beginning count as nothing under way."""
    patch.setattr(_position, "load_branches", _without_beginnings(_position.load_branches))
    patch.setattr(_load, "load_branches", _without_beginnings(_load.load_branches))


def _without_beginnings(inner: Callable[[Run], None]) -> Callable[[Run], None]:
    def load(run: Run) -> None:
        inner(run)
        for _, fork in run.forks.values():
            fork.unbegun = False

    return load


def _takes_late_answers(patch: pytest.MonkeyPatch) -> None:
    """An answer that lies there is taken, though the time of the wait was over when it was sent."""
    inner = _inbox._take_answer

    def take(run: Run, entry: InboxEntry) -> None:
        entry.at_us = 0
        inner(run, entry)

    patch.setattr(_inbox, "_take_answer", take)


def _forgets_late_cancel(patch: pytest.MonkeyPatch) -> None:
    """A request to cancel that comes during the rollback of a scope is consumed and forgotten."""
    patch.setattr(_cancel, "exit_after", lambda run, strand, leaving: leaving)


def _loses_cancel_in_scope(patch: pytest.MonkeyPatch) -> None:
    """The same, but only by the process that takes over."""
    inner = _cancel.exit_after

    def leave(run: Run, strand: Strand, leaving: Any) -> Any:
        store: Any = run.services.store
        return leaving if store.process.life else inner(run, strand, leaving)

    patch.setattr(_cancel, "exit_after", leave)


def _leaves_messages(patch: pytest.MonkeyPatch) -> None:
    """What lies in the inbox of an ended instance stays there unsaid."""

    async def refuse(run: Run) -> None:
        """Nothing."""

    patch.setattr(_engine, "refuse_leftovers", refuse)


def _bad_snapshot(patch: pytest.MonkeyPatch) -> None:
    """Variables are not loaded."""
    inner = _scope.StoredScopes.fill

    def fill(self: Any, scope: Any) -> None:
        inner(self, scope)
        for name in [name for name in scope.variables if name[0] != "@"]:
            scope.variables[name] = orjson.dumps(0)

    patch.setattr(_scope.StoredScopes, "fill", fill)


CONTESTS = (
    answered(timedelta(minutes=60), timedelta(minutes=5)),
    paid(timedelta(minutes=60), timedelta(minutes=5)),
    CANCELLED_SCOPE,
)
"""Cases in which something races with something else."""

MUTANTS = (
    Mutant("commits late", "Sequence", _commits_late, frozenset({UNCOMMITTED})),
    Mutant("forgets log entries", "Sequence", _forgets_log, frozenset({LOST})),
    Mutant("keeps consumed messages", "Signals", _writes_row_only, frozenset({UNSTEADY}), always=True),
    Mutant("ignores deduplication", "Signals", _ignores_dedup, frozenset({DIVERGED, NOT_IDEMPOTENT})),
    Mutant("keys of the process", "Loops", _key_of_process, frozenset({NOT_IDEMPOTENT, DIVERGED})),
    Mutant("loses deltas", "Sequence", _loses_deltas, frozenset({DIVERGED})),
    Mutant("loses a loop turn", "Loops", _loses_turn, frozenset({REPEATED, LOST, DIVERGED})),
    Mutant("loses the visit", "Staged", _loses_visit, frozenset({REPEATED, LOST, DIVERGED})),
    Mutant("loses ended branches", "Mapped", _loses_branches, frozenset({REPEATED, LOST})),
    Mutant("loses running branches", "LostBranch", _loses_running_branches, frozenset({DIVERGED, NOT_IDEMPOTENT})),
    Mutant("loses the attempt", "Retried", _loses_attempt, frozenset({REPEATED, DIVERGED, LOST})),
    Mutant("loses due moments", "Sleeper", _loses_due, frozenset({UNSTEADY}), always=True),
    Mutant("restarts timers", "Race", _restarts_timers, frozenset({UNSTEADY}), always=True),
    Mutant("loses the pending exit", "Caught", _loses_exit, frozenset({DIVERGED})),
    Mutant("loses the handler", "Caught", _loses_handled, frozenset({REPEATED, DIVERGED, LOST})),
    Mutant("undoes again", "Rolled", _undoes_again, frozenset({REPEATED, LOST})),
    Mutant("forgets unknown outcomes", "LostBranch", _undoes_nothing_unknown, frozenset({DIVERGED, NOT_IDEMPOTENT})),
    Mutant("loses a cancellation", "CancelledSaga", _loses_cancel, frozenset({DIVERGED, STUCK})),
    Mutant("loses variables", "Nested", _bad_snapshot, frozenset({DIVERGED})),
    Mutant("ignores the brake", "Rolled", _ignores_brake, frozenset({FindingKind.UNBRAKED})),
    Mutant("brakes too early", "Sequence", _brakes_early, frozenset({DIVERGED})),
    Mutant("overlooks branches", "Mapped", _overlooks_beginnings, frozenset({FindingKind.UNBRAKED})),
    Mutant("takes late answers", "Contested", _takes_late_answers, frozenset({DIVERGED, UNSTEADY}), always=True),
    Mutant(
        "forgets a late cancel", "CancelledScope", _forgets_late_cancel, frozenset({DIVERGED, UNSTEADY}), always=True
    ),
    Mutant("loses a late cancel", "CancelledScope", _loses_cancel_in_scope, frozenset({DIVERGED})),
    Mutant("leaves messages unread", "Collected", _leaves_messages, frozenset({LOST, UNSTEADY, STUCK}), always=True),
    Mutant("counts failed commits", "Sequence", _swallows_store_errors, frozenset({RAISED})),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_engine_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seeded fault shows under some schedule, as what it is."""
    case = next(item for item in (*CASES, *CONTESTS) if item.name == mutant.case)
    expected = scenario(case).run() if mutant.always else None
    mutant.patch(monkeypatch)

    report = CrashExplorer(scenario(case), limit=6).explore(pairs=20, seeds=60, brakes=4, expected=expected)

    assert {item.kind for item in report.findings} & mutant.kinds, [str(item.what) for item in report.findings]
