"""What the workflows room does, for whoever may see what."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast, final
from uuid import UUID

from ruvon import ir
from ruvon._described import form_of
from ruvon._workflow import Workflow
from ruvon.builder import BulkAction, BulkItem, BulkMigrate, WorkflowBuilder
from ruvon.engine._migrate import check_migration, migrate
from ruvon.ir.values import mask
from ruvon.models import WorkflowStatus
from ruvon.providers import (
    DuplicateIdempotencyKeyError,
    InstanceFilter,
    InstanceRecord,
    WorkflowBusyError,
    WorkflowNotFoundError,
    WorkflowSummary,
)
from ruvon.providers.persistence import UnsupportedError
from ruvon.scheduler import Resumed, resume_all
from ruvon_server.answering import require_asked
from ruvon_server.auth import Principal
from ruvon_server.drives import Drives
from ruvon_server.models import migrations
from ruvon_server.models import workflows as models
from ruvon_server.problems import IdempotencyKeyReusedError, OtherTenantError
from ruvon_server.rooms.workflows.bulk import bulk_action, bulk_filter, bulk_report
from ruvon_server.rooms.workflows.migrations import migration_check, migration_filter, migration_report
from ruvon_server.shown import DefinitionCache, error_of, moment, result_of, state_of, waits_of
from ruvon_server.starting import require_known_fields
from ruvon_server.uploads import Uploads
from ruvon_server.versions import Versions

__all__ = ["WorkflowService"]

_TRIES: Final = 20
_MOST_IDS: Final = 100
_PAUSE_US: Final = 25_000


@final
class WorkflowService:
    """Starts, shows, drives, ends and repairs workflows.

    Every method takes the one who asks. What he may not see is not there for him: it is answered like an id that nobody
    has.

    Args:
        builder: the workflows and their store.
        drives: who drives them behind a request.
        uploads: the definitions that were uploaded.
        wait_limit_s: so long at most a request waits, in seconds.
    """

    def __init__(self, builder: WorkflowBuilder, drives: Drives, uploads: Uploads, wait_limit_s: float) -> None:
        self._builder = builder
        self._engine = builder.engine()
        self._store = builder.persistence
        self._drives = drives
        self._uploads = uploads
        self._versions = Versions(builder, uploads)
        self._limit_s = wait_limit_s
        self._definitions = DefinitionCache(self._store)

    # Making and looking

    async def start(self, principal: Principal, wanted: models.StartWorkflow) -> tuple[models.WorkflowInfo, bool]:
        """Start a workflow; how it stands, and whether it is new.

        Raises:
            OtherTenantError: it would belong to somebody else.
            IdempotencyKeyReusedError: the key belongs to a workflow of another type, or of somebody else.
        """
        whose = principal.narrowed(wanted.owner_id, wanted.org_id)
        if whose is None:
            raise OtherTenantError
        await self._uploads.learn(wanted.workflow_type)
        require_known_fields(self._builder, wanted.workflow_type, wanted.version, wanted.data)
        waits = wanted.run and wanted.wait_s > 0
        background = wanted.run and not waits and self._drives.has_workers
        try:
            workflow = await self._builder.create_workflow(
                wanted.workflow_type,
                wanted.data,
                version=wanted.version,
                idempotency_key=principal.key(wanted.idempotency_key),
                owner_id=whose[0],
                org_id=whose[1],
                data_region=wanted.data_region,
                priority=wanted.priority,
                metadata=wanted.metadata,
                background=background,
                actor=principal.name,
                reason=wanted.reason,
            )
        except DuplicateIdempotencyKeyError:
            return await self._known(principal, wanted), False
        if waits:
            await self._within(wanted.wait_s, workflow.run())
        elif wanted.run and not background:
            await self._drives.go_on(UUID(workflow.id))
        return await self._now(UUID(workflow.id)), True

    async def plan_start(self, principal: Principal, wanted: models.StartWorkflow) -> models.StartPlan:
        """What a start would start; everything is checked but the idempotency key, and nothing is stored.

        Raises:
            OtherTenantError: it would belong to somebody else.
        """
        if principal.narrowed(wanted.owner_id, wanted.org_id) is None:
            raise OtherTenantError
        await self._uploads.learn(wanted.workflow_type)
        require_known_fields(self._builder, wanted.workflow_type, wanted.version, wanted.data)
        program = self._engine.program_for(wanted.workflow_type, wanted.version)
        record, _ = self._engine.new_record(program, self._builder.ids.new_id(), wanted.data)
        return models.StartPlan(
            workflow_type=record.workflow_type,
            workflow_version=record.workflow_version,
            digest=record.digest.hex(),
            dry_run=True,
        )

    async def _known(self, principal: Principal, wanted: models.StartWorkflow) -> models.WorkflowInfo:
        """The workflow that was started with this key before."""
        key = wanted.idempotency_key or ""
        record = await self._store.find_by_idempotency_key(principal.key(key) or "")
        if (
            record is None
            or not principal.sees(record.owner_id, record.org_id)
            or record.workflow_type != wanted.workflow_type
        ):
            raise IdempotencyKeyReusedError(key)
        return await self._info(record)

    async def find(
        self, principal: Principal, wanted: InstanceFilter, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[models.WorkflowRow], tuple[int, int] | None]:
        """A page of the workflows that fit and that are there for whoever asks, and where the next one begins."""
        whose = principal.narrowed(wanted.owner_id, wanted.org_id)
        if whose is None:
            return [], None
        narrowed = replace(wanted, owner_id=whose[0], org_id=whose[1])
        rows = await self._store.find_instances(narrowed, limit=limit + 1, after=after)
        more, rows = len(rows) > limit, rows[:limit]
        driven = await self._driven(*rows)
        items = [models.WorkflowRow(**_columns(item, driven)) for item in rows]
        return items, (rows[-1].created_us, rows[-1].key) if more else None

    async def show(self, principal: Principal, workflow_id: UUID) -> models.WorkflowInfo:
        """How a workflow stands."""
        return await self._info(await self._record(principal, workflow_id))

    async def ids(self, principal: Principal, begin: str) -> models.WorkflowIds:
        """The ids that begin like this, of workflows that are there for whoever asks; as many as one page shows.

        Raises:
            UnsupportedError: the store cannot look for them.
        """
        store: Any = self._store
        if not hasattr(store, "ids_like"):
            raise UnsupportedError("search for the beginning of an id", "give the whole id")
        found: list[str] = await store.ids_like(
            begin.lower(), limit=_MOST_IDS, owner_id=principal.owner_id, org_id=principal.org_id
        )
        return models.WorkflowIds(items=found)

    async def state(self, principal: Principal, workflow_id: UUID) -> models.WorkflowState:
        """The state of a workflow."""
        record = await self._record(principal, workflow_id)
        state, problem = await state_of(self._engine, record)
        return models.WorkflowState(
            workflow_id=str(workflow_id), revision=record.revision, state=state, state_error=problem
        )

    async def step(self, principal: Principal, workflow_id: UUID) -> models.CurrentStep:
        """Where a workflow stands, and what that step takes."""
        record = await self._record(principal, workflow_id)
        definition = await self._definitions.get(record.digest)
        status = WorkflowStatus(record.status)
        node = definition.graph.nodes.get(record.current_step or "") if not status.is_terminal else None
        return models.CurrentStep(
            workflow_id=str(workflow_id),
            status=status,
            step=node.id if node is not None else None,
            kind=ir.label(node) if node is not None else None,
            input_schema=_input_schema(definition, node) if node is not None else None,
            waiting_for=await self._waits(record),
        )

    # Going on

    async def next(
        self, principal: Principal, workflow_id: UUID, wanted: models.GoOn
    ) -> tuple[models.WorkflowInfo, bool]:
        """Run the current step, and those after it while they go on by themselves; and whether that has ended."""
        workflow = await self._workflow(principal, workflow_id)
        work = self._in_turn(lambda: workflow.next_step(wanted.input, actor=principal.name))
        done = await self._within(wanted.wait_s, work)
        return await self._now(workflow_id), done

    async def resume(
        self, principal: Principal, workflow_id: UUID, wanted: models.ResumeWorkflow
    ) -> tuple[models.WorkflowInfo, bool]:
        """Give an answer where there is one, and let the workflow go on; whether it has come to rest."""

        async def act(workflow: Workflow) -> None:
            if wanted.answer is not None:
                await workflow.answer(
                    wanted.answer, step=wanted.step, wait_id=wanted.wait_id, actor=principal.name, reason=wanted.reason
                )
            elif not wanted.wait_s:
                await self._drives.go_on(workflow_id)

        return await self._said(principal, workflow_id, wanted.wait_s, act)

    async def signal(
        self, principal: Principal, workflow_id: UUID, wanted: models.SignalWorkflow
    ) -> models.WorkflowInfo:
        """Send a signal."""
        workflow = await self._workflow(principal, workflow_id)
        await workflow.signal(
            wanted.name,
            wanted.payload,
            key=wanted.key,
            dedup=wanted.dedup,
            actor=principal.name,
            reason=wanted.reason,
        )
        return await self._now(workflow_id)

    async def cancel(
        self, principal: Principal, workflow_id: UUID, wanted: models.CancelWorkflow
    ) -> models.WorkflowInfo:
        """Ask a workflow to end."""
        workflow = await self._workflow(principal, workflow_id)
        await workflow.cancel(f"{wanted.reason} (by {principal.name})".strip(), compensate=wanted.compensate)
        return await self._now(workflow_id)

    # Repairing

    async def retry(
        self, principal: Principal, workflow_id: UUID, wanted: models.RetryWorkflow
    ) -> tuple[models.WorkflowInfo, bool]:
        """Bring a failed workflow back, and let it go on; whether it has come to rest."""

        async def act(workflow: Workflow) -> None:
            await self._in_turn(lambda: workflow.retry(wanted.from_step, actor=principal.name, reason=wanted.reason))

        return await self._said(principal, workflow_id, wanted.wait_s, act)

    async def plan_rewind(
        self, principal: Principal, workflow_id: UUID, wanted: models.RewindWorkflow
    ) -> models.RewindPlan:
        """What a rewind would do."""
        workflow = await self._workflow(principal, workflow_id)
        plan = await workflow.plan_rewind(wanted.to, state=wanted.state)
        kept = plan.kept if wanted.compensate else (*reversed(plan.undone), *plan.kept)
        return models.RewindPlan(
            step=plan.step,
            activation=plan.activation,
            undone=list(plan.undone) if wanted.compensate else [],
            kept=list(kept),
            state=cast("dict[str, Any]", mask(dict(plan.state))),
        )

    async def retry_compensation(
        self, principal: Principal, workflow_id: UUID, wanted: models.RetryCompensation
    ) -> tuple[models.WorkflowInfo, bool]:
        """Try those compensations again that failed in a rollback; whether that has ended."""
        workflow = await self._workflow(principal, workflow_id)
        act = self._in_turn(lambda: workflow.retry_compensation(actor=principal.name, reason=wanted.reason))
        done = await self._within(wanted.wait_s, act)
        return await self._now(workflow_id), done

    async def rewind(
        self, principal: Principal, workflow_id: UUID, wanted: models.RewindWorkflow
    ) -> tuple[models.WorkflowInfo, bool]:
        """Undo what came since a step, and stand there again; whether that has ended."""
        workflow = await self._workflow(principal, workflow_id)

        async def work() -> None:
            await self._in_turn(
                lambda: workflow.rewind(
                    wanted.to,
                    state=wanted.state,
                    compensate=wanted.compensate,
                    actor=principal.name,
                    reason=wanted.reason,
                )
            )
            if wanted.run:
                await self._drives.go_on(workflow_id)

        done = await self._within(self._limit_s, work())
        return await self._now(workflow_id), done

    async def fork(self, principal: Principal, workflow_id: UUID, wanted: models.ForkWorkflow) -> models.WorkflowInfo:
        """Make a workflow that stands where this one stood."""
        workflow = await self._workflow(principal, workflow_id)
        made = await workflow.fork(wanted.to, state=wanted.state, actor=principal.name, reason=wanted.reason)
        if wanted.run:
            await self._drives.go_on(UUID(made.id))
        return await self._now(UUID(made.id))

    async def jump(self, principal: Principal, workflow_id: UUID, wanted: models.JumpWorkflow) -> models.WorkflowInfo:
        """Let a workflow stand at another step."""
        workflow = await self._workflow(principal, workflow_id)
        await self._in_turn(lambda: workflow.jump_to_step(wanted.step, actor=principal.name, reason=wanted.reason))
        if wanted.run:
            await self._drives.go_on(workflow_id)
        return await self._now(workflow_id)

    async def check_migration(
        self, principal: Principal, workflow_id: UUID, wanted: migrations.MigrateWorkflow
    ) -> migrations.MigrationCheck:
        """Whether a workflow can go on with another definition of its type."""
        record = await self._record(principal, workflow_id)
        to = await self._versions.one(record.workflow_type, wanted.to)
        return migration_check(await check_migration(self._engine, workflow_id, to.definition), to)

    async def migrate(
        self, principal: Principal, workflow_id: UUID, wanted: migrations.MigrateWorkflow
    ) -> models.WorkflowInfo:
        """Let a workflow go on with another definition of its type."""
        record = await self._record(principal, workflow_id)
        program = self._engine.program_from((await self._versions.one(record.workflow_type, wanted.to)).definition)
        who = {"actor": principal.name, "reason": wanted.reason}
        await self._in_turn(lambda: migrate(self._engine, workflow_id, program, **who))
        return await self._now(workflow_id)

    async def migrate_all(
        self, principal: Principal, wanted: migrations.MigrateWorkflows
    ) -> migrations.MigrationReport:
        """Let every workflow of a type that fits, and that is there for whoever asks, go on with another definition."""
        to = await self._versions.one(wanted.workflow_type, wanted.to)
        done: list[BulkItem] = []
        finished = await self._each(principal, migration_filter(wanted), BulkMigrate(to.definition), wanted, done)
        return migration_report(done, to, finished=finished)

    async def bulk(self, principal: Principal, wanted: models.BulkRequest) -> models.BulkReport:
        """Do one thing with every workflow that fits and that is there for whoever asks."""
        done: list[BulkItem] = []
        finished = await self._each(principal, bulk_filter(wanted.filter), bulk_action(wanted), wanted, done)
        return bulk_report(done, finished=finished)

    async def resume_all(self, principal: Principal) -> models.ResumeReport:
        """Drive every workflow that can go on, that nobody drives, and that is there for whoever asks."""
        done: dict[UUID, Resumed] = {}

        def note(item: Resumed) -> None:
            done[item.workflow_id] = item

        work = resume_all(
            self._builder, wanted=lambda found: principal.sees(found.owner_id, found.org_id), on_item=note
        )
        finished = await self._within(self._limit_s, work)
        items = [
            models.ResumedWorkflow(
                workflow_id=str(item.workflow_id), status=item.status, driven=item.busy, problem=item.problem
            )
            for item in done.values()
        ]
        return models.ResumeReport(items=items, finished=finished)

    async def _each(
        self,
        principal: Principal,
        chosen: InstanceFilter,
        action: BulkAction,
        wanted: models.BulkRequest | migrations.MigrateWorkflows,
        done: list[BulkItem],
    ) -> bool:
        """Do it, and put what is done into a list: as it comes, and in its order when that is all; whether it is."""
        whose = principal.narrowed(chosen.owner_id, chosen.org_id)
        if whose is None:
            return True

        async def work() -> None:
            report = await self._builder.bulk(
                replace(chosen, owner_id=whose[0], org_id=whose[1]),
                action,
                dry_run=wanted.dry_run,
                limit=wanted.limit,
                actor=principal.name,
                reason=wanted.reason,
                on_item=done.append,
            )
            done[:] = report.items

        return await self._within(self._limit_s, work())

    # What all of them need

    async def _record(self, principal: Principal, workflow_id: UUID) -> InstanceRecord:
        record = await self._store.load_instance(workflow_id)
        if not principal.sees(record.owner_id, record.org_id):
            raise WorkflowNotFoundError(workflow_id)
        return record

    async def _workflow(self, principal: Principal, workflow_id: UUID) -> Workflow:
        """The handle of a workflow, by which he answers what he may; what goes on after that goes on behind the request."""
        await self._record(principal, workflow_id)
        workflow = await self._builder.load_workflow(workflow_id)
        return workflow.followed_by(self._drives.go_on).guarded_by(partial(require_asked, principal))

    async def _in_turn(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do what takes a turn of its own; whoever is about to let the workflow go is waited for a moment."""
        for _ in range(_TRIES):
            with suppress(WorkflowBusyError):
                await work()
                return
            await self._builder.clock.sleep_us(_PAUSE_US)
        await work()

    async def _within(self, seconds: float, work: Awaitable[object]) -> bool:
        async def run() -> None:
            await work

        return await self._drives.within(min(seconds, self._limit_s), run())

    async def _said(
        self, principal: Principal, workflow_id: UUID, seconds: float, act: Callable[[Workflow], Awaitable[None]]
    ) -> tuple[models.WorkflowInfo, bool]:
        """Do something with a workflow that lets it go on, and wait as long as asked; whether it has come to rest."""
        workflow = await self._workflow(principal, workflow_id)
        if not seconds:
            await act(workflow)
            return await self._now(workflow_id), False

        async def work() -> None:
            await act(workflow.followed_by(None))
            try:
                if not workflow.status.is_terminal:
                    await workflow.run()
            except WorkflowBusyError:  # whoever drives it goes on with it, and is waited for a moment
                with suppress(WorkflowBusyError):
                    await self._in_turn(lambda: self._engine.drive(workflow_id, patient=True))

        done = await self._within(seconds, work())
        return await self._now(workflow_id), done

    async def _now(self, workflow_id: UUID) -> models.WorkflowInfo:
        return await self._info(await self._store.load_instance(workflow_id))

    async def _waits(self, record: InstanceRecord) -> list[models.Wait]:
        return [models.Wait.model_validate(item) for item in await waits_of(record, self._definitions)]

    async def _driven(self, *found: InstanceRecord | WorkflowSummary) -> frozenset[str]:
        """The ids of those that a process has in hand now; none where the store cannot say that."""
        store: Any = self._store
        live = [str(item.workflow_id) for item in found if not WorkflowStatus(item.status).is_terminal]
        if not live or not hasattr(store, "held_instances"):
            return frozenset()
        driven: frozenset[str] = await store.held_instances(live)
        return driven

    async def _info(self, record: InstanceRecord) -> models.WorkflowInfo:
        result, result_error = await result_of(self._engine, record)
        error, traceback = error_of(record)
        return models.WorkflowInfo(
            **_columns(record, await self._driven(record)),
            waiting_for=await self._waits(record),
            result=result,
            result_error=result_error,
            error=error,
            traceback=traceback,
            saga_enabled=record.saga_enabled,
            data_region=record.data_region,
            metadata=dict(record.metadata),
            digest=record.digest.hex(),
            revision=record.revision,
            idempotency_key=record.idempotency_key,
        )


def _columns(record: InstanceRecord | WorkflowSummary, driven: frozenset[str]) -> dict[str, Any]:
    return {
        "workflow_id": str(record.workflow_id),
        "workflow_type": record.workflow_type,
        "workflow_version": record.workflow_version,
        "status": WorkflowStatus(record.status),
        "current_step": record.current_step,
        "owner_id": record.owner_id,
        "org_id": record.org_id,
        "parent_id": str(record.parent_id) if record.parent_id is not None else None,
        "priority": record.priority,
        "created_at": moment(record.created_us),
        "updated_at": moment(record.updated_us),
        "driven": str(record.workflow_id) in driven,
    }


def _input_schema(definition: ir.Definition, node: ir.Node) -> dict[str, Any] | None:
    """The schema of the input that a step takes when it runs, or of the answer that it asks for."""
    return form_of(definition, {"step": node.id})
