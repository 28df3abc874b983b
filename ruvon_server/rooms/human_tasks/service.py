"""What the human tasks room does."""

import base64
import binascii
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, cast, final
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.engine._answers import find_answered
from ruvon.engine._repair import audit_note
from ruvon.ir.values import mask
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxKind, InstanceFilter, InstanceRecord, WorkflowBusyError, WorkflowNotFoundError
from ruvon_server.answering import require_asked
from ruvon_server.auth import Permission, Principal
from ruvon_server.drives import Drives
from ruvon_server.models import human_tasks as models
from ruvon_server.problems import HumanTaskNotFoundError, TaskOfAnotherError
from ruvon_server.rooms.human_tasks.claims import Claim, Claims
from ruvon_server.shown import DefinitionCache, moment, waits_of

__all__ = ["HumanTaskService", "TaskFilter"]

_ASKING: Final = (WorkflowStatus.WAITING_HUMAN.value, WorkflowStatus.WAITING_HUMAN_INPUT.value)
_ASKED: Final = frozenset({"human", "input"})
_ANSWERED: Final = frozenset({"wait", "step", "error"})
"""Kinds of the entry that a wait leaves behind when it is over, and a step that took what it asked for."""
_PAGE: Final = 100
_MOST_LOOKED_AT: Final = 500
"""So many workflows one page looks at, at most."""
_LONGEST_ID: Final = 2_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks are meant: those that fit everything that is given."""

    role: str | None = None
    assignee: str | None = None
    claimed_by: str | None = None
    unclaimed: bool = False
    name: str | None = None
    workflow_type: str | None = None

    def fits(self, task: models.HumanTask) -> bool:
        """Whether a task is meant."""
        pairs = (
            (self.role, task.role),
            (self.assignee, task.assignee),
            (self.claimed_by, task.claimed_by),
            (self.name, task.name),
        )
        return all(wanted in {None, given} for wanted, given in pairs) and not (self.unclaimed and task.claimed_by)


@final
class HumanTaskService:
    """Lists what waits for people, and passes answers on.

    Args:
        builder: the workflows and their store.
        drives: who lets workflows go on behind a request.
    """

    def __init__(self, builder: WorkflowBuilder, drives: Drives) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._drives = drives
        self._definitions = DefinitionCache(self._store)
        self._claims = Claims(self._store, builder.clock)

    async def find(
        self, principal: Principal, wanted: TaskFilter, limit: int, after: tuple[int, int] | None
    ) -> tuple[list[models.HumanTask], tuple[int, int] | None]:
        """A page of the tasks that fit and that are there for whoever asks, and where the next one begins."""
        chosen = InstanceFilter(
            statuses=_ASKING,
            workflow_type=wanted.workflow_type,
            owner_id=principal.owner_id,
            org_id=principal.org_id,
        )
        items: list[models.HumanTask] = []
        looked = 0
        while True:
            rows = await self._store.find_instances(chosen, limit=_PAGE, after=after)
            for row in rows:
                looked += 1
                after = (row.created_us, row.key)
                with suppress(WorkflowNotFoundError):  # it was deleted meanwhile
                    _, tasks = await self._tasks(UUID(row.workflow_id))
                    items += [item for item in tasks if wanted.fits(item)]
                if len(items) >= limit or looked >= _MOST_LOOKED_AT:
                    return items, after
            if len(rows) < _PAGE:
                return items, None

    async def show(self, principal: Principal, task_id: str) -> models.HumanTask:
        """A task that waits.

        Raises:
            HumanTaskNotFoundError: nothing of that id waits (any more).
        """
        workflow_id, wait_id = _parts(task_id)
        try:
            record, tasks = await self._tasks(workflow_id)
        except WorkflowNotFoundError:
            raise HumanTaskNotFoundError(task_id) from None
        found = next((item for item in tasks if item.wait_id == wait_id), None)
        if found is None or not principal.sees(record.owner_id, record.org_id):
            raise HumanTaskNotFoundError(task_id)
        return found

    async def claim(self, principal: Principal, task_id: str) -> models.HumanTask:
        """Take a task; harmless when repeated.

        Raises:
            TaskOfAnotherError: somebody else has it, or it is for somebody else alone.
            TaskOfRoleError: it is for a role that he has not.
        """
        async with self._turn(principal, task_id) as task:
            _require_his(principal, task)
            workflow_id = UUID(task.workflow_id)
            await self._forget_over(workflow_id)
            claim = await self._claims.claim(workflow_id, task.wait_id, principal.name, await self.length(task))
            if task.claimed_by is None:
                await self._note(task, f"claimed{audit_note(principal.name, '')}")
        return task.model_copy(update=_claimed(claim))

    async def release(self, principal: Principal, task_id: str, *, force: bool) -> models.HumanTask:
        """Give a task back; harmless when nobody has it.

        Raises:
            TaskOfAnotherError: somebody else has it, and it is not forced by whoever may.
        """
        async with self._turn(principal, task_id) as task:
            if task.claimed_by is None:
                return task
            if task.claimed_by != principal.name and not (force and principal.may(Permission.WORKFLOWS_REPAIR)):
                raise TaskOfAnotherError(task.claimed_by)
            await self._claims.release(UUID(task.workflow_id), task.wait_id)
            await self._note(task, f"released{audit_note(principal.name, '')}")
        return task.model_copy(update={"claimed_by": None, "claimed_at": None})

    async def check(self, principal: Principal, task_id: str, answer: object) -> models.HumanTask:
        """A task, if an answer fits it and whoever asks may give it.

        Raises:
            TaskOfAnotherError: somebody else has it, or it is for somebody else alone.
            TaskOfRoleError: it is for a role that he has not.
            InvalidInputError: it does not fit.
        """
        task = await self.show(principal, task_id)
        _require_his(principal, task)
        record = await self._store.load_instance(UUID(task.workflow_id))
        find_answered(await self._builder.engine().load(record), answer, step=None, wait_id=task.wait_id)
        return task

    async def length(self, task: models.HumanTask) -> int:
        """How long the history of its workflow is."""
        return (await self._store.load_instance(UUID(task.workflow_id))).last_seq

    async def require_unanswered(self, task: models.HumanTask, since: int) -> None:
        """Refuse a task that was answered since the history was so long, and is asked again.

        Raises:
            HumanTaskNotFoundError: it was.
        """
        if await self._answered(UUID(task.workflow_id), {task.wait_id: since}):
            raise HumanTaskNotFoundError(task.task_id)

    async def answer(
        self,
        principal: Principal,
        task_id: str,
        answer: object,
        reason: str,
        *,
        wait_s: float = 0,
        actor: str = "",
        since: int | None = None,
    ) -> None:
        """Answer a task.

        Args:
            principal: who may see it.
            task_id: the task.
            answer: has to fit the form.
            reason: why.
            wait_s: so long the workflow is waited for that goes on.
            actor: who answers, where that is not who asks.
            since: nobody may have answered since the history was so long.

        Raises:
            TaskOfAnotherError: somebody else has it, or it is for somebody else alone.
            TaskOfRoleError: it is for a role that he has not.
            NotWaitingForInputError: another answer came first.
            InvalidInputError: it does not fit; the task keeps waiting.
        """
        async with self._turn(principal, task_id) as task:
            if not actor:
                _require_his(principal, task)
            if since is not None:
                await self.require_unanswered(task, since)
            workflow_id = UUID(task.workflow_id)
            workflow = (await self._builder.load_workflow(workflow_id)).followed_by(self._drives.go_on)
            await workflow.answer(answer, wait_id=task.wait_id, actor=actor or principal.name, reason=reason)
            await self._claims.release(workflow_id, task.wait_id)
        if wait_s:
            await self._drives.within(wait_s, self._drive(workflow_id))

    async def close(self, task: models.HumanTask) -> None:
        """Forget who has had a task that was answered otherwise than with `answer`."""
        workflow_id = UUID(task.workflow_id)
        async with self._claims.turn(workflow_id):
            await self._claims.release(workflow_id, task.wait_id)

    async def _answered(self, workflow_id: UUID, lengths: Mapping[str, int]) -> Collection[str]:
        """Those of some waits that are over since the history was so long, whether they are asked again or not."""
        entries = await self._store.read_log(workflow_id, after=min(lengths.values()))
        over = {entry.activation: entry.seq for entry in entries if entry.kind in _ANSWERED}
        return [name for name, since in lengths.items() if over.get(name.removesuffix(":input"), 0) > since]

    async def _over(self, record: InstanceRecord | None, claims: Mapping[str, Claim]) -> Collection[str]:
        """Those of a workflow's claims whose tasks have ended, however they did; None: it was deleted."""
        if record is None or WorkflowStatus(record.status).is_terminal:
            return claims
        if not claims:
            return ()
        lengths = {wait_id: claim.since for wait_id, claim in claims.items()}
        over = set(await self._answered(record.workflow_id, lengths))
        if record.status in _ASKING:  # a wait that ran out of time leaves no entry behind
            over |= claims.keys() - {wait["id"] for wait in await waits_of(record, self._definitions)}
        return over

    async def _forget_over(self, workflow_id: UUID) -> None:
        """Forget the claims beside those of a workflow whose tasks have ended. Needs their turn."""
        for key, claims in (await self._claims.beside(workflow_id)).items():
            record = None
            with suppress(WorkflowNotFoundError):
                record = await self._store.load_instance(key)
            await self._claims.release(key, *await self._over(record, claims))

    @asynccontextmanager
    async def _turn(self, principal: Principal, task_id: str) -> AsyncGenerator[models.HumanTask, None]:
        """A task, as it is while nobody else claims, releases or answers it here."""
        known = await self.show(principal, task_id)
        async with self._claims.turn(UUID(known.workflow_id)):
            yield await self.show(principal, task_id)

    async def _drive(self, workflow_id: UUID) -> None:
        with suppress(WorkflowBusyError):  # whoever drives it goes on with it
            await self._builder.engine().drive(workflow_id, patient=True)

    async def _note(self, task: models.HumanTask, message: str) -> None:
        await self._store.log_execution(UUID(task.workflow_id), task.step, "INFO", message)

    async def _tasks(self, workflow_id: UUID) -> tuple[InstanceRecord, list[models.HumanTask]]:
        """What a workflow asks. What was answered is open no more, taken or not: so the inbox is read before the row."""
        sent = await self._store.read_inbox(workflow_id)
        record = await self._store.load_instance(workflow_id)
        waits = [wait for wait in await waits_of(record, self._definitions) if wait["kind"] in _ASKED]
        if waits:
            ends = any(entry.kind is InboxKind.CANCEL for entry in sent)
            answered = {entry.name for entry in sent if entry.kind is InboxKind.ANSWER}
            waits = [wait for wait in waits if not ends and wait["id"] not in answered]
        claims: Mapping[str, Claim] = await self._claims.of(record.workflow_id) if waits else {}
        over = await self._over(record, claims)
        tasks = [_task(record, wait, claims.get(wait["id"]) if wait["id"] not in over else None) for wait in waits]
        return record, tasks


def _task(record: InstanceRecord, wait: Mapping[str, Any], claim: Claim | None) -> models.HumanTask:
    shown: Any = wait.get("show")
    words: Mapping[str, Any] = cast("dict[str, Any]", shown) if wait["kind"] == "human" and shown else {}
    return models.HumanTask(
        task_id=_id(record.workflow_id, wait["id"]),
        name=str(wait.get("name") or wait["step"]),
        role=words.get("role"),
        assignee=words.get("assignee"),
        show=mask(words.get("show")) if words else shown,
        due_at=wait.get("due_at"),
        form=wait.get("form"),
        answer=wait.get("answer"),
        claimed_by=claim.by if claim is not None else None,
        claimed_at=moment(claim.at_us) if claim is not None else None,
        workflow_id=str(record.workflow_id),
        workflow_type=record.workflow_type,
        workflow_version=record.workflow_version,
        step=wait["step"],
        wait_id=wait["id"],
        owner_id=record.owner_id,
        org_id=record.org_id,
        waits_since=moment(record.updated_us),
    )


def _claimed(claim: Claim) -> dict[str, Any]:
    return {"claimed_by": claim.by, "claimed_at": moment(claim.at_us)}


def _require_his(principal: Principal, task: models.HumanTask) -> None:
    """Refuse whoever a task is not for, and everybody but the one who has claimed it."""
    require_asked(principal, task.role, task.assignee)
    if task.claimed_by is not None and task.claimed_by != principal.name:
        raise TaskOfAnotherError(task.claimed_by)


def _id(workflow_id: UUID, wait_id: str) -> str:
    return base64.urlsafe_b64encode(workflow_id.bytes + wait_id.encode()).decode().rstrip("=")


def _parts(task_id: str) -> tuple[UUID, str]:
    try:
        if len(task_id) > _LONGEST_ID:
            raise HumanTaskNotFoundError(task_id)
        data = base64.b64decode(task_id + "=" * (-len(task_id) % 4), altchars=b"-_", validate=True)
        return UUID(bytes=data[:16]), data[16:].decode()
    except (binascii.Error, ValueError):
        raise HumanTaskNotFoundError(task_id) from None
