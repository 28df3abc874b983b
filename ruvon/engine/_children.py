"""Children: made in the parent's own transition, driven by the engine, heard of through the parent's inbox."""

from typing import TYPE_CHECKING, Any, Final, cast, final
from uuid import UUID, uuid5

import orjson

from ruvon.engine._cancel import cancel_entry
from ruvon.engine._effects import Message
from ruvon.engine._error_records import ErrorRecord, as_child_failure, record_error
from ruvon.engine._frames import Exit, ExitKind, GraphFrame, Strand, WaitKind, WaitState
from ruvon.engine._inputs import as_mapping
from ruvon.engine._machine import record_step
from ruvon.engine._merge import merge_result
from ruvon.engine._observe import observed
from ruvon.engine._program import EffectOp, Outcome
from ruvon.engine._run import Run
from ruvon.engine._state import assign
from ruvon.engine._undo import saga_bytes
from ruvon.ir._nodes import Merge
from ruvon.models import ChildFailed, WorkflowStatus
from ruvon.providers import LogEntry, ScheduleRecord, Transition, WorkflowBusyError, WorkflowNotFoundError

if TYPE_CHECKING:
    from ruvon.engine._engine import Engine

__all__ = ["ChildMaker", "ChildResult", "child_id"]

_RESULTS_FIELD: Final = "sub_workflow_results"
_NAMESPACE: Final = UUID("5b0c1f2a-7d1e-5d5b-9a77-3d0f6c1e9b42")
"""Ids of detached children with a key are derived in it."""


def child_id(parent: UUID, activation: str) -> UUID:
    """The id of the child of a START activation: starting it twice makes one child."""
    return uuid5(parent, activation)


@final
class ChildResult:
    """The result of a child that completed."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


@final
class ChildMaker:
    """What the steps need of the engine for children and restarts."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def begin(
        self,
        run: Run,
        activation: str,
        node: str,
        workflow_type: str,
        data: object,
        *,
        version: str | None = None,
        data_region: str | None = None,
        awaited: bool = True,
        key: str | None = None,
    ) -> WaitState:
        """Put a new child into the transition under way; the wait for its end."""
        engine = self._engine
        prefix = f"e{run.epoch}:" if run.epoch else ""
        prefix += f"r{run.begun_again}:" if run.begun_again else ""  # those that it started before have ended
        parent = run.record.workflow_id
        made = child_id(parent, prefix + activation) if key is None else uuid5(_NAMESPACE, f"{workflow_type}/{key}")
        program = engine.program_for(workflow_type, version)
        record, definition = engine.new_record(
            program,
            made,
            data,
            owner_id=run.record.owner_id,
            org_id=run.record.org_id,
            data_region=data_region or run.record.data_region,
            priority=run.record.priority,
            parent_id=parent,
            parent_activation=activation if awaited else None,
            metadata=engine.observers.metadata(observed(run.record, run.program, run.now_us())),
        )
        run.out.created.append(record)
        run.out.definitions.append(definition)
        if run.notices is not None:
            run.notices.child_started(record, program, lambda: engine.initial_state(record, program))
        return WaitState(WaitKind.CHILD, activation, node, name=workflow_type, key=str(made))

    def schedule(self, run: Run, record: ScheduleRecord, data: object) -> None:
        """Put a schedule of another workflow into the transition under way.

        Raises:
            UnknownWorkflowTypeError: there is no such workflow.
            InvalidInitialDataError: the data does not fit its state.
        """
        program = self._engine.program_for(record.workflow_type, record.version)
        record.data = self._engine.pack_data(program, data)
        run.out.schedules.append(record)

    def schedule_policy(self, workflow_type: str) -> tuple[str, int]:
        """`overlap` and `catch_up` of a workflow's declaration."""
        return self._engine.schedule_policy(workflow_type)

    async def drive(self, child: UUID) -> None:
        """Drive a child as far as it goes now."""
        try:
            await self._engine.drive(child, patient=self._engine.waits_for_timers)
        except (WorkflowBusyError, WorkflowNotFoundError):
            return

    def cancel(self, run: Run, child: str, reason: str) -> None:
        """Ask a child to end."""
        payload = orjson.dumps({"reason": reason, "compensate": True})
        run.out.sent.append(cancel_entry(run, child, payload))

    def outcome(self, run: Run, node: str, workflow_type: str, message: Message) -> "Exit | ChildResult":
        """How a child ended: its result, or the FAIL of its error."""
        tree = cast("dict[str, Any]", orjson.loads(message.payload))
        types = run.program.types
        if tree["status"] == WorkflowStatus.COMPLETED:
            return ChildResult(types.dynamic.decode(orjson.dumps(tree["result"])))
        error = tree["error"]
        if error is not None and "mro" in error:
            record = ErrorRecord.of_tree(error)
            if types.find_class(record.path) is None:
                record = as_child_failure(record, message.name, types.dynamic)
        else:
            reason = error.get("cancelled", "") if error else ""
            text = f"the child `{workflow_type}` was cancelled" + (f": {reason}" if reason else "")
            record = record_error(ChildFailed(text, "Cancelled", message.name), types.dynamic, step=node)
        return Exit(ExitKind.FAIL, error=record.of_child(message.name, node))

    def keep_result(self, run: Run, strand: Strand, workflow_type: str, result: bytes) -> None:
        """Keep the last result of each child type, in the state too where the model declares the field."""
        run.child_results[workflow_type] = result
        state = run.program.types.state
        if state.has_field(_RESULTS_FIELD):
            dynamic = run.program.types.dynamic
            results = {name: dynamic.decode(data) for name, data in run.child_results.items()}
            strand.scope.write_state(assign(state, _RESULTS_FIELD, results, strand.scope.fields))

    def finish_directive(self, run: Run, strand: Strand, frame: GraphFrame, op: EffectOp, message: Message) -> Outcome:
        """The child that a step's directive started has ended: the step completes with its result."""
        strand.wait = None
        ended = self.outcome(run, op.id, op.id, message)
        if isinstance(ended, Exit):
            if ended.error is not None:
                run.log("error", op.id, frame.activation(op.id), error=ended.error.encode())
            return ended
        value = ended.value
        encoded = run.program.types.dynamic.encode(value, f"the result of {op.id}")
        record_step(run, strand, frame, op.id, encoded, saga=saga_bytes({}, child=message.name))
        tree = cast("dict[str, Any]", orjson.loads(message.payload))
        self.keep_result(run, strand, str(tree.get("type", op.id)), encoded)
        if as_mapping(value) is not None:
            strand.scope.write_state(merge_result(run, strand.scope, value, Merge(), op.id, strict=False))
        return op.next

    async def restart(self, run: Run, data: object) -> None:
        """Replace the instance by a fresh one under the same id, in one transition."""
        engine, old = self._engine, run.record
        program = engine.program_for(old.workflow_type, None)
        fresh, definition = engine.new_record(program, old.workflow_id, data, epoch=run.epoch + 1)
        revision = old.revision + 1
        now = run.now_us()
        transition = Transition(
            old.workflow_id,
            old.key,
            old.revision,
            revision,
            run.token + revision.to_bytes(6, "big"),
            WorkflowStatus.ACTIVE.value,
            fresh.position,
            fresh.current_step,
            now,
            [LogEntry(1, "restart", "", "", now, position=fresh.position)],
            1,
            snapshot=fresh.snapshot,
            saga_enabled=fresh.saga_enabled,
            consumed=tuple(run.out.consumed),
            tasks_done=tuple(run.queued),
            definitions=(definition,),
            digest=program.digest,
            workflow_version=program.definition.workflow_version,
            drop_log=True,
        )
        await engine.store.commit(transition)
        run.restarted = True
