"""Loading: from a row, a snapshot and the deltas after it to a run, exactly as it was."""

from ruvon.engine._frames import GraphFrame
from ruvon.engine._history_limit import previous_name
from ruvon.engine._position import decode_position, load_branches
from ruvon.engine._program import Program
from ruvon.engine._run import Run, Services
from ruvon.engine._scope import Scope, StoredScopes
from ruvon.providers import InstanceRecord

__all__ = ["load_run", "loaded_at"]


async def load_run(services: Services, record: InstanceRecord, program: Program) -> Run:
    """A run at the stored position of an instance."""
    stored = StoredScopes(record.snapshot)
    deltas = delta_bytes = 0
    if record.last_seq > record.snapshot_seq:
        for entry in await services.store.read_log(record.workflow_id, after=record.snapshot_seq):
            if entry.seq > record.last_seq:  # written since the row was read, by whoever drives the instance
                break
            stored.apply(entry.delta)
            deltas += 1
            delta_bytes += len(entry.delta)
    run = await loaded_at(services, record, program, record.position, stored)
    run.deltas, run.delta_bytes = deltas, delta_bytes
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
