"""`Workflow`: one instance, as applications hold it.

The object is a handle. It drives the instance when told to, keeps what it saw last (`status`, `state`, `result`), and
sends messages that need no turn: signals, answers, cancellation. Any number of handles to one instance may exist; only
one drives at a time.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, cast, final
from uuid import UUID

import orjson

from ruvon._bridge import run_coroutine_sync
from ruvon.engine import Engine, ErrorRecord, NotWaitingForInputError, RepairPlan, Run, WorkflowFinishedError, rebuild
from ruvon.engine._answers import (
    Guard,
    accept_input,
    encode_signal,
    find_answered,
    refuse_cancelled,
    require_asked,
    require_open,
)
from ruvon.engine._engine import Prepare
from ruvon.engine._history import history_entry
from ruvon.engine._repair import audit_note, jump, retry, retry_compensation
from ruvon.engine._text_log import write_lines
from ruvon.engine._undo import place_of
from ruvon.ir._canonical import to_tree
from ruvon.models import RecordedError, StepResult, WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord

__all__ = ["Workflow"]


@final
@dataclass(frozen=True, slots=True)
class _Said:
    """What is written beside the history of a message that was taken."""

    step: str
    what: str
    actor: str
    reason: str


GoOn: TypeAlias = Callable[[UUID], Awaitable[None]]
"""Sees to it that an instance goes on, without waiting for where it comes to."""


@final
class Workflow:
    """A handle to one instance; made by `WorkflowBuilder.create_workflow` and `load_workflow`."""

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._view: Any = None
        self._go_on: GoOn | None = None
        self._guard: Guard | None = None

    # What it is

    @property
    def id(self) -> str:
        """The id, a UUID as text."""
        return self._run.id

    @property
    def workflow_type(self) -> str:
        """The workflow's type."""
        return self._record.workflow_type

    @property
    def workflow_version(self) -> str:
        """The version of its definition."""
        return self._record.workflow_version

    @property
    def status(self) -> WorkflowStatus:
        """Where it stood when this handle saw it last."""
        return WorkflowStatus(self._record.status)

    @property
    def current_step_name(self) -> str | None:
        """The step of the outermost list where it stands, or None when it has ended."""
        if self.status.is_terminal:
            return None
        pc = self._run.body.pc
        return pc if pc in self._run.body.graph.ops else None

    @property
    def state(self) -> Any:
        """A copy of the state, an instance of the author's class; `save` writes changes of it back."""
        if self._view is None:
            self._view = self._run.root.scope.view()
        return self._view

    @property
    def metadata(self) -> Mapping[str, object]:
        """What the creator attached."""
        return self._record.metadata

    @property
    def parent_id(self) -> str | None:
        """The id of the workflow that started it."""
        parent = self._record.parent_id
        return str(parent) if parent is not None else None

    @property
    def saga_enabled(self) -> bool:
        """Whether an uncaught error starts a rollback."""
        return self._record.saga_enabled

    @property
    def definition_snapshot(self) -> Mapping[str, object]:
        """The definition that this instance runs, as a tree."""
        return cast("Mapping[str, object]", to_tree(self._run.program.definition))

    @property
    def waiting_for(self) -> list[dict[str, Any]]:
        """What it waits for: kind, id, step, due moment and, for people, what they are shown."""
        data = self._record.waiting_for
        return cast("list[dict[str, Any]]", orjson.loads(data)) if data is not None else []

    @property
    def result(self) -> Any:
        """The result of a completed workflow, else None."""
        data = self._record.result
        return self._run.program.types.dynamic.decode(data) if data is not None else None

    @property
    def error(self) -> Exception | None:
        """The error of a failed workflow, rebuilt, else None."""
        data = self._record.error
        if data is None:
            return None
        tree = orjson.loads(data)
        if "cancelled" in tree:
            return RecordedError(f"the workflow was cancelled: {tree['cancelled']}", "Cancelled")
        types = self._run.program.types
        return rebuild(ErrorRecord.of_tree(tree), types.dynamic, types.find_class)

    @property
    def _record(self) -> InstanceRecord:
        return self._run.record

    # Driving

    async def next_step(
        self, user_input: Mapping[str, Any] | object = None, *, actor: str = "", reason: str = ""
    ) -> StepResult:
        """Run the current step, and those after it while the finished step goes on by itself.

        Args:
            user_input: input for the first step that runs, or the answer that the workflow waits for.
            actor: who answers; kept beside the history.
            reason: why; kept beside the history.

        Returns:
            The result of the last finished step, and the name of the step where the workflow stands now.

        Raises:
            WorkflowFinishedError: it has ended.
            WorkflowBusyError: somebody else drives it, or it is being rolled back.
            InvalidInputError: the input does not fit; nothing was changed.
            NotWaitingForInputError: input was given, and nothing waits for any.
        """
        given = user_input or None
        sent: list[tuple[str, int]] = []

        async def prepare(run: Run) -> None:
            wait = await accept_input(run, given, self._guard)
            if wait is not None:
                sent.append((wait.activation, run.last_seq))
                await self._note(_Said(wait.node, "answer sent", actor, reason))

        try:
            made = await self._drive(by_step=True, prepare=prepare)
        except NotWaitingForInputError:
            await self._let_expire()
            raise
        if sent:
            await self._require_taken(*sent[0])
        return made

    async def run(self) -> StepResult:
        """Drive through steps, retries and timers until a person or a signal is needed, or the end.

        Raises:
            WorkflowFinishedError: it has ended already.
            WorkflowBusyError: somebody else drives it.
        """
        return await self._drive(patient=True, prepare=require_open)

    async def _drive(self, *, by_step: bool = False, patient: bool = False, prepare: Prepare) -> StepResult:
        workflow_id = self._record.workflow_id
        run = await self._engine.drive(workflow_id, by_step=by_step, patient=patient, prepare=prepare)
        if run.told or run.spawned:
            await self.refresh(run)
        else:
            self._see(run)
        return StepResult(run.last_result(), self.current_step_name)

    def _see(self, run: Run) -> None:
        self._run = run
        self._view = None

    async def refresh(self, driven: Run | None = None) -> None:
        """Read the instance again."""
        record = await self._engine.store.load_instance(self._record.workflow_id)
        if driven is not None and record.revision == driven.record.revision:
            self._see(driven)
        else:
            self._see(await self._engine.load(record))

    def followed_by(self, go_on: GoOn | None) -> Self:
        """Let somebody else drive the workflow after a message or a retry; such a call returns when that is written.

        Args:
            go_on: told each time, such as `Engine.leave_to_workers`; None lets the calls drive, as they do by themselves.
        """
        self._go_on = go_on
        return self

    def guarded_by(self, guard: Guard) -> Self:
        """Let somebody say whose answers a human step takes.

        Args:
            guard: told the role and the person whom the step asks; what it raises refuses the answer.
        """
        self._guard = guard
        return self

    # Messages

    async def signal(
        self,
        message: object,
        payload: object = None,
        *,
        key: str | None = None,
        dedup: str | None = None,
        actor: str = "",
        reason: str = "",
    ) -> None:
        """Send a signal; it lies in the mailbox until the workflow receives it.

        A workflow that has ended takes none: its history says that the signal came too late. One that has failed keeps it
        for a retry.

        Args:
            message: the signal's model instance, or its type's name with the fields in `payload`.
            payload: the fields, where `message` is a name.
            key: the key that the workflow receives it by.
            dedup: a second signal with the same one is dropped.
            actor: who sends it; kept beside the history.
            reason: why; kept beside the history.

        Raises:
            InvalidInputError: the workflow's definition receives no such signal, or the fields do not fit.
        """
        name, data = encode_signal(self._run, message, payload)
        waits = (wait for wait in self.waiting_for if wait["kind"] == "signal")
        step = next((wait["step"] for wait in waits if (wait["name"], wait.get("key")) == (name, key)), "")
        said = _Said(step, f"signal {name.partition(':')[2] or name} sent", actor, reason)
        await self._send(InboxKind.SIGNAL, name, data, key=key, dedup=dedup, said=said)

    async def answer(
        self,
        value: object,
        *,
        step: str | None = None,
        wait_id: str | None = None,
        actor: str = "",
        reason: str = "",
    ) -> None:
        """Answer a waiting human step, or give a step the input that it waits for.

        Args:
            value: the answer; validated before anything is written.
            step: the step that asks, where several do.
            wait_id: the id of the wait; an answer to an earlier turn is refused.
            actor: who answers; kept beside the history.
            reason: why; kept beside the history.

        Raises:
            NotWaitingForInputError: nothing (of that name) waits for an answer, its time is over, another one came
                first, or the workflow was asked to end.
            InvalidInputError: the answer does not fit; the step keeps waiting.
        """
        await self.refresh()
        wait, checked = find_answered(self._run, value, step=step, wait_id=wait_id)
        require_asked(wait, self._guard)
        refuse_cancelled(self._run, await self._engine.store.read_inbox(self._record.workflow_id))
        if wait.due_us is not None and wait.due_us <= self._engine.clock.now_us():
            await self._let_expire()
            raise NotWaitingForInputError(self.id, self.status.value, step or wait.node)
        known = self._run.last_seq
        data = self._run.program.types.dynamic.encode(checked, "the answer")
        said = _Said(wait.node, "answer sent", actor, reason)
        if not await self._send(InboxKind.ANSWER, wait.activation, data, dedup=wait.answer_key, said=said):
            raise NotWaitingForInputError(self.id, self.status.value, step or wait.node)
        await self._require_taken(wait.activation, known)

    async def _let_expire(self) -> None:
        """Let what is due ring; whoever comes first says so."""
        await self.refresh()
        due = self._record.due_us
        if due is not None and due <= self._engine.clock.now_us():
            await self._engine.poke(self._record.workflow_id)
        await self.refresh()

    async def _require_taken(self, activation: str, known: int) -> None:
        """Tell whoever answered that something else was sooner: the log behind entry `known` says so."""
        log = await self._engine.store.read_log(self._record.workflow_id, after=known)
        if any(entry.kind == "late" and place_of(entry.activation) == place_of(activation) for entry in log):
            raise NotWaitingForInputError(self.id, self.status.value, self.current_step_name)

    resume = answer

    async def cancel(self, reason: str = "", *, compensate: bool = True) -> None:
        """End the workflow: awaited children first, then the running step, `finally`, and compensations if saga is on.

        Raises:
            WorkflowFinishedError: it has ended already.
        """
        await self.refresh()
        if self.status.is_terminal:
            raise WorkflowFinishedError(self.id, self.status.value)
        payload = orjson.dumps({"reason": reason, "compensate": compensate})
        await self._send(InboxKind.CANCEL, "", payload)

    async def _send(
        self,
        kind: InboxKind,
        name: str,
        data: bytes,
        *,
        key: str | None = None,
        dedup: str | None = None,
        said: "_Said | None" = None,
    ) -> bool:
        """Append a message and drive whoever takes it; False where one with its `dedup` was sent before."""
        workflow_id: UUID = self._record.workflow_id
        entry = InboxEntry(workflow_id, kind, name, data, key, dedup, self._engine.clock.now_us())
        is_new = await self._engine.store.append_inbox(entry)
        if is_new:
            if said is not None:
                await self._note(said)
            await (self._go_on or self._engine.poke)(workflow_id)
        await self.refresh()
        return is_new

    async def _note(self, said: "_Said") -> None:
        """Say who has sent what: after it was taken, and before the run goes on, which may take long."""
        if note := audit_note(said.actor, said.reason):
            line: tuple[str, str, dict[str, Any]] = ("INFO", f"{said.what}{note}", {})
            await write_lines(self._engine.store, self._record.workflow_id, said.step, [line])

    # Repair

    async def retry(self, from_step: str | None = None, *, actor: str = "", reason: str = "") -> StepResult:
        """Bring a failed workflow back: at the step that failed, under the same idempotency key, or at another one.

        Args:
            from_step: a step of the outermost list; the one that failed where none is given.
            actor: who asks; kept in the history.
            reason: why; kept in the history.

        Raises:
            RepairError: it has not failed, or there is no such step.
        """
        note = audit_note(actor, reason)
        if self._go_on is None:
            return await self._drive(patient=True, prepare=lambda run: retry(run, from_step, note))
        self._see(await self._engine.change(self._record.workflow_id, lambda run: retry(run, from_step, note)))
        await self._go_on(self._record.workflow_id)
        return StepResult(self._run.last_result(), self.current_step_name)

    async def jump_to_step(self, step: str, *, actor: str = "", reason: str = "") -> None:
        """Stand at another step of the outermost list; it runs with the next call.

        Raises:
            RepairError: there is no such step, or the workflow has ended.
        """
        note = audit_note(actor, reason)
        self._see(await self._engine.change(self._record.workflow_id, lambda run: jump(run, step, note)))

    async def plan_rewind(self, to: str | int, *, state: Mapping[str, object] | None = None) -> RepairPlan:
        """What `rewind` would undo, what it would not, and the state that the workflow would go on with.

        Raises:
            RepairError: nothing like that is recorded.
            InvalidInputError: the edited state does not fit.
        """
        return await self._engine.plan_rewind(self._record.workflow_id, to, state=state)

    async def rewind(
        self,
        to: str | int,
        *,
        state: Mapping[str, object] | None = None,
        compensate: bool = True,
        actor: str = "",
        reason: str = "",
    ) -> None:
        """Undo what came since a recorded activation, then stand there again; it runs with the next call.

        What runs from then on has new idempotency keys.

        Args:
            to: an activation, the name of a step, PARALLEL or LOOP (its newest execution), or the number of a log entry.
            state: fields to go on with in place of those that it had then.
            compensate: undo what completed since; without it those effects stay.
            actor: who asks; kept in the history.
            reason: why; kept in the history.

        Raises:
            RepairError: nothing like that is recorded, or its parent has taken its end.
            InvalidInputError: the edited state does not fit; nothing was changed.
        """
        note = audit_note(actor, reason)
        run = await self._engine.rewind(self._record.workflow_id, to, state=state, compensate=compensate, note=note)
        self._see(run)

    async def fork(
        self, to: str | int, *, state: Mapping[str, object] | None = None, actor: str = "", reason: str = ""
    ) -> "Workflow":
        """A new workflow that stands where this one stood before a recorded activation; this one is left alone.

        Args:
            to: an activation, the name of a step, PARALLEL or LOOP (its newest execution), or the number of a log entry.
            state: fields to go on with in place of those that it had then.
            actor: who asks; kept in the metadata of the new one.
            reason: why; kept in the metadata of the new one.

        Raises:
            RepairError: nothing like that is recorded.
            InvalidInputError: the edited state does not fit.
        """
        record = await self._engine.fork(self._record.workflow_id, to, state=state, actor=actor, reason=reason)
        return Workflow(self._engine, await self._engine.load(record))

    async def retry_compensation(self, *, actor: str = "", reason: str = "") -> StepResult:
        """Try those compensations again that failed in a rollback.

        Raises:
            RepairError: none has failed.
        """
        note = audit_note(actor, reason)
        return await self._drive(patient=True, prepare=lambda run: retry_compensation(run, note))

    async def enable_saga_mode(self) -> None:
        """From now on an uncaught error undoes what has completed."""

        def enable(run: Run) -> None:
            run.record.saga_enabled = True
            run.moved = True

        self._see(await self._engine.change(self._record.workflow_id, enable))

    async def save(self) -> None:
        """Write changes of `state` back, validated, as one transition.

        Raises:
            StaleWorkflowError: the workflow has moved on since this handle saw it.
            InvalidValueError: a changed field does not fit.
        """
        view, revision = self._view, self._record.revision
        if view is None:
            return
        self._see(await self._engine.save_view(self._record.workflow_id, view, revision))

    # Reading

    async def history(self) -> Sequence[Mapping[str, Any]]:
        """What happened, oldest first: kind, step, activation, attempt, moment, result, error."""
        entries = await self._engine.store.read_log(self._record.workflow_id)
        return [history_entry(self._run.program, entry) for entry in entries]

    # For callers that are not async

    def next_step_sync(self, user_input: object = None) -> StepResult:
        """`next_step` for synchronous callers."""
        return run_coroutine_sync(self.next_step(user_input))

    def run_sync(self) -> StepResult:
        """`run` for synchronous callers."""
        return run_coroutine_sync(self.run())

    def signal_sync(self, message: object, payload: object = None, *, key: str | None = None) -> None:
        """`signal` for synchronous callers."""
        run_coroutine_sync(self.signal(message, payload, key=key))

    def answer_sync(self, value: object, *, step: str | None = None, wait_id: str | None = None) -> None:
        """`answer` for synchronous callers."""
        run_coroutine_sync(self.answer(value, step=step, wait_id=wait_id))

    def cancel_sync(self, reason: str = "") -> None:
        """`cancel` for synchronous callers."""
        run_coroutine_sync(self.cancel(reason))

    def retry_sync(self, from_step: str | None = None) -> StepResult:
        """`retry` for synchronous callers."""
        return run_coroutine_sync(self.retry(from_step))

    def save_sync(self) -> None:
        """`save` for synchronous callers."""
        run_coroutine_sync(self.save())

    def __repr__(self) -> str:
        return f"<Workflow {self.workflow_type} {self.id} {self.status.value}>"
