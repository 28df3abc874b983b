"""Approval links: making, showing and using them."""

from typing import Final, final

from ruvon.engine import InvalidInputError, NotWaitingForInputError
from ruvon.providers import Clock
from ruvon_server.auth import Principal
from ruvon_server.models import human_tasks as models
from ruvon_server.problems import HumanTaskNotFoundError, LinkUsedError
from ruvon_server.rooms.human_tasks.links import Link, Links
from ruvon_server.rooms.human_tasks.service import HumanTaskService
from ruvon_server.shown import moment

__all__ = ["ApprovalService"]

_LONGEST: Final = 6_000
"""So many characters of a link every mail program and proxy lets through."""
_ANYBODY: Final = Principal(name="approval link")
"""Who uses a link sees what the link is about, whoever has it: the one who made it could see it."""


@final
class ApprovalService:
    """Makes links that answer a task, and uses them.

    Args:
        tasks: what they answer.
        links: signs and reads them.
        clock: says when they end.
        public_url: where the server is reached from outside; may be empty.
    """

    def __init__(self, tasks: HumanTaskService, links: Links, clock: Clock, public_url: str) -> None:
        self._tasks = tasks
        self._clock = clock
        self._links = links
        self._public_url = public_url.rstrip("/")

    async def make(self, principal: Principal, task_id: str, wanted: models.MakeLink) -> models.ApprovalLink:
        """A link that gives an answer to a task that waits.

        Raises:
            LinksAreOffError: there is no key to sign them with.
            InvalidInputError: the answer does not fit.
        """
        task = await self._tasks.check(principal, task_id, wanted.answer)
        expires_us = self._clock.now_us() + wanted.expires_in_s * 1_000_000
        link = Link(
            task_id=task.task_id,
            answer=wanted.answer,
            expires_us=expires_us,
            made_by=principal.name,
            recipient=wanted.recipient or "",
            seq=await self._tasks.length(task),
        )
        token = self._links.sign(link)
        if len(token) > _LONGEST:
            raise InvalidInputError(
                task.step, [f"a link has room for {_LONGEST} characters; this one has {len(token)}"]
            )
        url = f"{self._public_url}/api/v1/approvals/{token}"
        return models.ApprovalLink(url=url, token=token, expires_at=moment(expires_us))

    async def show(self, token: str) -> models.ApprovalView:
        """What a link does; nothing is changed."""
        link = self._links.read(token)
        try:
            task = await self._tasks.show(_ANYBODY, link.task_id)
            await self._tasks.require_unanswered(task, link.seq)
        except HumanTaskNotFoundError:
            task = None
        return models.ApprovalView(
            is_open=task is not None,
            name=task.name if task is not None else None,
            workflow_type=task.workflow_type if task is not None else None,
            show=task.show if task is not None else None,
            answer=link.answer,
            recipient=link.recipient or None,
            expires_at=moment(link.expires_us),
        )

    async def use(self, token: str) -> models.ApprovalResult:
        """Give the answer of a link.

        Raises:
            LinkUsedError: the task waits no more.
        """
        link = self._links.read(token)
        actor = f"{link.recipient} (link of {link.made_by})" if link.recipient else f"a link of {link.made_by}"
        try:
            await self._tasks.answer(_ANYBODY, link.task_id, link.answer, "", actor=actor, since=link.seq)
        except (HumanTaskNotFoundError, NotWaitingForInputError):
            raise LinkUsedError from None
        return models.ApprovalResult(answer=link.answer)
