"""Loading: from a row, a snapshot and the deltas after it to a run, exactly as it was.

The row and the log are two reads, and whoever drives the instance may commit in between. What it has written since
belongs to a later moment and is left out; where it has cut the log off behind the row (`history=`), the row is read anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from ruvon.engine._frames import GraphFrame, WaitKind
from ruvon.engine._history_limit import previous_name
from ruvon.engine._position import decode_position, load_branches
from ruvon.engine._program import Program
from ruvon.engine._run import Run, Services
from ruvon.engine._scope import Scope, StoredScopes
from ruvon.engine._values import NONE
from ruvon.ir._nodes import END
from ruvon.providers import EngineStore, InstanceRecord, LogEntry, LogIncompleteError
from ruvon.providers.encryption import refuse_sealed

__all__ = ["Kept", "load_run", "loaded_at", "read_kept"]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """What a store keeps of an instance, all as of one moment."""

    record: InstanceRecord
    scopes: StoredScopes
    deltas: int
    """How many were applied to the snapshot."""
    delta_bytes: int


async def read_kept(store: EngineStore, record: InstanceRecord) -> Kept:
    """The snapshot of a row with the deltas up to the row, or the same of a newer row.

    Raises:
        UnknownEncryptionKeyError: it is encrypted, and the store was opened without keys.
        LogIncompleteError: entries between snapshot and row are missing, and nobody has changed the row since.
    """
    refuse_sealed(record.position, f"the workflow {record.workflow_id}")
    while True:
        log: Sequence[LogEntry] = ()
        if record.last_seq > record.snapshot_seq:
            found = await store.read_log(record.workflow_id, after=record.snapshot_seq)
            log = [entry for entry in found if entry.seq <= record.last_seq]
        if len(log) == record.last_seq - record.snapshot_seq:
            scopes = StoredScopes(record.snapshot)
            for entry in log:
                scopes.apply(entry.delta)
            return Kept(record, scopes, len(log), sum(len(entry.delta) for entry in log))
        newer = await store.load_instance(record.workflow_id)
        if newer.revision == record.revision:
            there = {entry.seq for entry in log}
            missing = next(seq for seq in range(record.snapshot_seq + 1, record.last_seq + 1) if seq not in there)
            raise LogIncompleteError(record.workflow_id, missing)
        record = newer


async def load_run(services: Services, kept: Kept, program: Program) -> Run:
    """A run at the stored position of an instance."""
    run = await loaded_at(services, kept.record, program, kept.record.position, kept.scopes)
    run.deltas, run.delta_bytes = kept.deltas, kept.delta_bytes
    return run


async def loaded_at(
    services: Services, record: InstanceRecord, program: Program, position: bytes, stored: StoredScopes
) -> Run:
    """A run at any position of an instance, with the scopes that belong to it."""
    run = Run(services, record, program)
    run.stored = stored
    run.stored.fill(run.root.scope)
    decode_position(run, position)
    load_branches(run)
    _load_finished(run)
    await _load_previous(run)
    _load_results(run)
    run.queued = {
        strand.wait.key
        for strand in run.waiting.values()
        if strand.wait is not None and strand.wait.kind is WaitKind.TASK and strand.wait.key is not None
    }
    run.moved = False
    return run


def _load_finished(run: Run) -> None:
    """The scopes of branches that have ended: they hold results and write sets until the join."""
    for base, (owner, _) in run.forks.items():
        for name in run.stored.trees:
            if name.startswith(f"{base}[") and name.count("/") == base.count("/") + 1 and name not in run.scopes:
                scope: Scope = run.new_scope(name, owner.scope)
                run.stored.fill(scope)


async def _load_previous(run: Run) -> None:
    """The results that `context.previous_step_result` may be asked for."""
    for strand in run.strands():
        for frame in strand.frames:
            if isinstance(frame, GraphFrame) and frame.previous:
                found = await run.services.store.read_log(run.record.workflow_id, after=frame.previous - 1, limit=1)
                if found and found[0].seq == frame.previous:
                    result = found[0].result
                else:  # forgotten; the numbers of a fork begin anew, so what was kept comes second
                    result = run.root.scope.bytes_of(previous_name(frame.previous))
                if result is not None:
                    run.previous[frame.previous] = result


def _load_results(run: Run) -> None:
    """What strands at the end of a graph have as its result: that of its only effect, which is in the log.

    A commit may find a strand there: one that a step shares ends with the step, and one of another strand may come between
    an arrival and what follows it.
    """
    for strand in run.strands():
        frame = strand.frames[-1] if strand.frames else None
        if isinstance(frame, GraphFrame) and frame.graph.single is not None and frame.pc == END:
            strand.result = run.previous.get(frame.previous, NONE)
