"""`Engine`: programs, instances and drives over one store.

The engine is what the builder, workers and servers share. It creates instances, takes the right to drive one, loads it,
drives it, and lets it go. Everything about what a step means lies elsewhere.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, final
from uuid import UUID

from ruvon.engine._brake import count_crash
from ruvon.engine._children import ChildMaker
from ruvon.engine._commit import snapshot_of
from ruvon.engine._company import Company
from ruvon.engine._compile import CompileNode
from ruvon.engine._drive import Drive
from ruvon.engine._errors import InvalidInitialDataError
from ruvon.engine._interceptors import StepInterceptor, chained
from ruvon.engine._leftovers import refuse_leftovers
from ruvon.engine._load import load_run, read_kept
from ruvon.engine._merge import step_writes
from ruvon.engine._net import QUEUE, TAKEOVER_US, Net, beside, find_told, is_net, wake_of
from ruvon.engine._observe import Observers, started
from ruvon.engine._position import encode_position
from ruvon.engine._program import Program
from ruvon.engine._program_source import Definitions, ProgramCache, ProgramSource
from ruvon.engine._resume import accept_repairs, begin
from ruvon.engine._rewind import RepairPlan, begin_rewind, forked, planned_rewind
from ruvon.engine._run import Run
from ruvon.engine._scope import Names, StoredScopes
from ruvon.engine._text_log import write_lines
from ruvon.ir._nodes import Merge
from ruvon.ir.values import InvalidValueError
from ruvon.models import WorkflowStatus, WorkflowStep
from ruvon.providers import (
    Clock,
    DefinitionRecord,
    EgressProvider,
    EngineStore,
    ExecutionProvider,
    Hold,
    IdSource,
    InferenceProvider,
    InstanceRecord,
    StaleWorkflowError,
    TaskKind,
    TaskRecord,
    TemplateEngine,
    Transition,
    WasmRuntime,
    WorkflowBusyError,
    WorkflowNotFoundError,
)
from ruvon.providers.encryption import refuse_sealed

__all__ = ["Engine", "Prepare"]

Prepare: TypeAlias = Callable[[Run], Awaitable[None] | None]
"""Changes a loaded run before it is driven; what it raises ends the call with nothing changed."""


@final
class Engine(ProgramSource):
    """Drives instances over one store."""

    def __init__(
        self,
        store: EngineStore,
        execution: ExecutionProvider,
        definitions: Definitions,
        compile_node: CompileNode,
        *,
        clock: Clock,
        ids: IdSource,
        observers: Observers | Sequence[object] = (),
        resources: Mapping[type, object] | None = None,
        step_types: Mapping[str, type[WorkflowStep]] | None = None,
        secrets: Callable[[str], object] | None = None,
        templates: TemplateEngine | None = None,
        interceptors: Sequence[StepInterceptor] = (),
        programs: "ProgramCache | None" = None,
        egress: EgressProvider | None = None,
        wasm_runtime: WasmRuntime | None = None,
        inference_provider: InferenceProvider | None = None,
        crash_budget: int | None = 5,
        cleanup_deadline_us: int | None = 30_000_000,
    ) -> None:
        super().__init__(store, definitions, compile_node, step_types, programs)
        self.execution = execution
        self.threads_bodies = execution.threads_bodies
        self.clock = clock
        self.ids = ids
        self.observers = observers if isinstance(observers, Observers) else Observers(observers)
        self.resources: Mapping[type, object] = resources or {}
        self.intercept = chained(interceptors)
        self.egress = egress
        self.wasm = wasm_runtime
        self.inference = inference_provider
        self.children = ChildMaker(self)
        self.crash_budget = crash_budget
        """So many processes may die over one run at one place; None: any number."""
        self.cleanup_deadline_us = cleanup_deadline_us
        self._torn: set[UUID] = set()
        """Instances whose last drive in this process failed before its end: they were under way."""
        self.waits_for_timers = True
        """A drive that begins a child sleeps until the child's timers are due; a worker leaves that to its scheduler."""
        self.takeover_us = TAKEOVER_US
        """In a store that workers serve: how long a drive of this process may be dead before a worker looks for it."""
        self._secrets = secrets
        self._templates = templates

    # Services of a run

    def secret(self, name: str) -> object:
        """The value of a secret."""
        if self._secrets is None:
            raise LookupError(f"no secrets are configured, so secret({name!r}) has no value")
        return self._secrets(name)

    def render(self, template: str, names: Mapping[str, object]) -> str:
        """The text of a template."""
        if self._templates is None:
            raise LookupError("no template engine is configured; give the builder template_engine=")
        # A template names what it wants only when it is rendered, so it gets a plain dict of everything.
        return self._templates.render(template, names.visible() if isinstance(names, Names) else names)

    async def write_lines(
        self, workflow_id: UUID, step: str, lines: Sequence[tuple[str, str, Mapping[str, Any]]], /
    ) -> None:
        """Append to the execution log; what goes wrong with that touches no workflow."""
        await write_lines(self.store, workflow_id, step, lines)

    # Creating

    def new_record(
        self,
        program: Program,
        workflow_id: UUID,
        data: object,
        *,
        owner_id: str | None = None,
        org_id: str | None = None,
        data_region: str | None = None,
        priority: int = 0,
        idempotency_key: str | None = None,
        metadata: Mapping[str, object] | None = None,
        parent_id: UUID | None = None,
        parent_activation: str | None = None,
        scheduled_for_us: int | None = None,
        epoch: int = 0,
    ) -> tuple[InstanceRecord, DefinitionRecord]:
        """The row of a new instance, and its definition; a life after the first one is an epoch of its own.

        Raises:
            InvalidInitialDataError: the data does not fit the state's class.
        """
        definition = program.definition
        now = self.clock.now_us()
        record = InstanceRecord(
            workflow_id,
            definition.workflow_type,
            definition.workflow_version,
            program.digest,
            WorkflowStatus.ACTIVE.value,
            b"",
            b"",
            saga_enabled=definition.saga,
            owner_id=owner_id,
            org_id=org_id,
            data_region=data_region,
            priority=priority,
            idempotency_key=idempotency_key,
            metadata=metadata or {},
            parent_id=parent_id,
            parent_activation=parent_activation,
            scheduled_for_us=scheduled_for_us,
            created_us=now,
            updated_us=now,
        )
        run = Run(self, record, program)
        run.epoch = epoch
        run.rests = epoch > 0
        try:
            run.root.scope.fields.update(program.types.state.initial(data))
        except InvalidValueError as exc:
            problems = [f"`{item.path}` {item.reason}" for item in exc.fields]
            raise InvalidInitialDataError(definition.workflow_type, problems) from None
        record.snapshot = snapshot_of(run)
        record.position = encode_position(run)
        record.current_step = program.body.entry if program.body.entry in program.body.ops else None
        return record, self.definition_record(program)

    def pack_data(self, program: Program, data: object) -> bytes:
        """Initial data for instances that are made later, encoded.

        Raises:
            InvalidInitialDataError: it does not fit the state's class.
        """
        self.new_record(program, UUID(int=0), data)
        return program.types.dynamic.encode(data, "the initial data")

    def unpack_data(self, program: Program, data: bytes) -> object:
        """What `pack_data` encoded; nothing becomes what the state's class makes of nothing."""
        refuse_sealed(data, "the data of a schedule")
        found = program.types.dynamic.decode(data)
        return {} if found is None else found

    async def create(self, record: InstanceRecord, definition: DefinitionRecord, *, background: bool = False) -> None:
        """Write a new instance, and tell observers; in the `background` a worker drives it at once.

        Raises:
            DuplicateIdempotencyKeyError: its key is taken; nothing was written.
            UnsupportedError: a step of it has a `transaction`, and the store has no SQL.
        """
        transition = Transition(
            record.workflow_id, 0, -1, 0, b"", record.status, b"", None, record.created_us, [], 0,
            created=(record,), definitions=(definition,),
        )  # fmt: skip
        program = self._programs.by_digest.get(record.digest)
        if program is not None:
            if program.shares_commits:
                self.store.transact()  # raises where there is no SQL; entered by each step itself
            if program.starts:
                transition.definitions = self.family(program)
        if background:
            wake = wake_of(record.workflow_id)
            transition.tasks = (
                TaskRecord(wake, record.workflow_id, TaskKind.WAKE, "", available_us=0, priority=record.priority),
            )
        await self.store.commit(transition)
        if transition.tasks:
            await self.execution.tasks_added(transition.tasks)
        await self.announce(record)

    async def announce(self, record: InstanceRecord) -> None:
        """Tell observers of a new instance."""
        if self.observers.wants("on_workflow_started"):
            program = await self.program_of(record)
            arguments = started(record, program, self.initial_state(record, program))
            await self.observers.tell(("on_workflow_started", arguments))

    def initial_state(self, record: InstanceRecord, program: Program) -> Mapping[str, Any]:
        """The state that a new instance begins with, as a plain dict."""
        fresh = Run(self, record, program)
        StoredScopes(record.snapshot).fill(fresh.root.scope)
        return program.types.state.as_dict(fresh.root.scope.fields)

    # Driving

    async def load(self, record: InstanceRecord) -> Run:
        """A run at the stored position of an instance, or at that of a newer row.

        Raises:
            LogIncompleteError: the store has lost a part of the log.
        """
        kept = await read_kept(self.store, record)
        return await load_run(self, kept, await self.program_of(kept.record))

    async def drive(
        self,
        workflow_id: UUID,
        *,
        patient: bool = False,
        by_step: bool = False,
        prepare: "Prepare | None" = None,
        died: bool = False,
        company: Company | None = None,
        task: TaskRecord | None = None,
    ) -> Run:
        """Take an instance, drive it as far as it goes now, and let it go.

        In a store that workers serve a worker goes on with it when this process dies meanwhile, or when this call fails;
        not where it goes on by step, because then nobody but the caller may say when.

        Args:
            workflow_id: the instance.
            patient: sleep until timers and retries are due.
            by_step: stop behind a step that does not go on by itself.
            prepare: changes the loaded run before it is driven (an answer, input, a repair); what it raises ends the
                call with nothing changed.
            died: the process that drove it last is known to have died over it, though the store may not know.
            company: others of this process that work for it, whose results are worth a short wait.
            task: the claimed task that stands for the drive, where a worker does it.

        Raises:
            WorkflowBusyError: somebody else drives it; nothing was run.
        """
        is_watched = task is None and not by_step and self.execution.runs_queued(QUEUE)
        net = Net(self, self.takeover_us) if is_watched else None
        hold = await self.store.hold(workflow_id)
        died = died or hold.died
        try:
            drive = partial(
                self._drive_held,
                hold,
                workflow_id,
                patient=patient,
                by_step=by_step,
                company=company,
                net=net,
                alone=task is None,
            )
            run = await drive(prepare=prepare, died=died)
            while run.restarted:
                run = await drive(prepare=None, died=False)
        finally:
            await hold.release()
        if died or (task is not None and is_net(task)):
            await find_told(run)
        await self._wake(run)
        if net is not None:
            await net.take_away()
        return run

    async def change(self, workflow_id: UUID, prepare: Prepare) -> Run:
        """Change an instance in one transition without driving it.

        Raises:
            WorkflowBusyError: somebody else drives it.
        """
        hold = await self.store.hold(workflow_id)
        try:
            run = await self.load(await self.store.load_instance(workflow_id))
            run.token = hold.token
            if (preparing := prepare(run)) is not None:
                await preparing
            await Drive(run, patient=False).settle()
        finally:
            await hold.release()
        for target in run.told:
            await self.poke(target)
        return run

    async def rewind(
        self,
        workflow_id: UUID,
        to: str | int,
        *,
        state: Mapping[str, object] | None = None,
        compensate: bool = True,
        note: str = "",
    ) -> Run:
        """Undo what came since an activation, then stand there again; nothing of it runs yet.

        Raises:
            RepairError: nothing like that is recorded, or the instance must not be rewound now; nothing was changed.
            InvalidInputError: the edited state does not fit; nothing was changed.
            WorkflowBusyError: somebody else drives it.
        """
        hold = await self.store.hold(workflow_id)
        try:
            run = await self.load(await self.store.load_instance(workflow_id))
            run.token = hold.token
            await begin_rewind(run, to, state, compensate=compensate, note=note)
            if not run.restarted:
                run.ready.append(run.root)
                drive = Drive(run, patient=True)
                hold.listen(drive.notify)
                await drive.go()
            told = run.told
            run = await self.load(await self.store.load_instance(workflow_id)) if run.restarted else run
            run.told = told
        finally:
            hold.listen(None)
            await hold.release()
        await self._wake(run)
        return run

    async def fork(
        self,
        workflow_id: UUID,
        to: str | int,
        *,
        state: Mapping[str, object] | None = None,
        actor: str = "",
        reason: str = "",
    ) -> InstanceRecord:
        """Make a new instance that stands where an old one stood before an activation; nothing of it runs yet.

        Raises:
            RepairError: nothing like that is recorded.
            InvalidInputError: the edited state does not fit.
        """
        run = await self.load(await self.store.load_instance(workflow_id))
        said = {"forked_by": actor, "forked_why": reason}
        record, transition = await forked(self, run, to, self.ids.new_id(), state, said)
        await self.store.commit(transition)
        return await self.store.load_instance(record.workflow_id)

    async def plan_rewind(
        self, workflow_id: UUID, to: str | int, *, state: Mapping[str, object] | None = None
    ) -> RepairPlan:
        """What a rewind would undo, and with which state the instance would go on; nothing is changed."""
        return await planned_rewind(await self.load(await self.store.load_instance(workflow_id)), to, state)

    async def save_view(self, workflow_id: UUID, view: Any, revision: int) -> Run:
        """Write the changes of a state view back.

        Raises:
            StaleWorkflowError: the instance has moved on since the view was made.
        """

        def save(run: Run) -> None:
            if run.record.revision != revision:
                raise StaleWorkflowError(workflow_id)
            writes = step_writes(run, run.root.scope, view, None, Merge(), "save", merges=False, strict=False)
            if writes:
                run.log("save", "", "")
                run.root.scope.write_state(writes)

        return await self.change(workflow_id, save)

    async def _drive_held(
        self,
        hold: Hold,
        workflow_id: UUID,
        *,
        patient: bool,
        by_step: bool,
        prepare: "Prepare | None",
        died: bool,
        company: Company | None,
        net: Net | None,
        alone: bool,
    ) -> Run:
        run = await self.load(await self.store.load_instance(workflow_id))
        if run.program.starts:
            await self.learn_children(run.program)
        run.token = hold.token
        run.by_step, run.alone = by_step, alone
        run.inbox = list(await self.store.read_inbox(workflow_id))
        torn = died or self._is_torn(run)
        if died:
            await count_crash(run, self.crash_budget)
        if run.fatal is None or run.status.is_terminal:
            await self._prepare(run, prepare)
        accept_repairs(run)
        if run.status.is_terminal and not run.moved:
            await refuse_leftovers(run)
            return run
        run.hears = run.hears or run.program.receives or bool(run.inbox)
        drive = Drive(run, patient=patient, torn=torn, company=company)
        if died:
            await drive.settle()  # a death is counted before the next one may happen
        run.rests = False
        if net is not None:
            await net.spread(run)
        hold.driving()
        hold.listen(drive.notify)
        if company is not None:
            company.listen(drive.stir)
        try:
            begin(run)
            await drive.go()
            run.driven = True
        except BaseException:
            self._torn.add(workflow_id)
            raise
        finally:
            hold.listen(run.hear)
            if company is not None:
                company.listen(None)
        return run

    def _is_torn(self, run: Run) -> bool:
        """Whether the last drive may have ended in the middle of something that is in no commit.

        A run that has begun and waits for nothing was left there by a process that died or by a store that failed, unless
        a caller wanted one step only. Of one that nothing is committed of, only this process can know.
        """
        failed = run.record.workflow_id in self._torn
        self._torn.discard(run.record.workflow_id)
        return failed or (run.record.revision > 0 and not run.rests)

    async def _prepare(self, run: Run, prepare: "Prepare | None") -> None:
        if prepare is not None and (preparing := prepare(run)) is not None:
            await preparing

    async def _wake(self, run: Run) -> None:
        """Let instances that were sent a message go on, where nobody drives them; messages that came too late, too."""
        for target in run.told:
            await self.poke(target)
        if run.status.is_terminal:
            left = run.driven and run.hears and await self.store.read_inbox(run.record.workflow_id)
            if left:
                await self.poke(run.record.workflow_id)
        elif await self._has_news(run):
            await self.poke(run.record.workflow_id)

    async def _has_news(self, run: Run) -> bool:
        known = {entry.seq for entry in run.inbox}
        return any(entry.seq not in known for entry in await self.store.read_inbox(run.record.workflow_id))

    async def leave_to_workers(self, workflow_id: UUID) -> None:
        """Let a worker that serves the queue `default` drive an instance, beginning at once.

        Raises:
            WorkflowNotFoundError: there is no such instance.
        """
        record = await self.store.load_instance(workflow_id)
        task = TaskRecord(
            f"{workflow_id.hex}.wake.{self.ids.new_id().hex}", workflow_id, TaskKind.WAKE, "", priority=record.priority
        )
        await self.store.commit(beside(workflow_id, self.clock.now_us(), tasks=(task,)))
        await self.execution.tasks_added((task,))

    async def poke(self, workflow_id: UUID) -> None:
        """Drive an instance because something arrived for it; somebody else's turn is as good."""
        try:
            await self.drive(workflow_id)
        except (WorkflowBusyError, WorkflowNotFoundError):
            return
