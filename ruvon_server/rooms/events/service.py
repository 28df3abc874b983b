"""The streams: what was before, then what happens, for as long as somebody reads."""

import re
from collections.abc import AsyncGenerator, Collection
from typing import Final, TypeAlias, final
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.providers import WorkflowNotFoundError, WorkflowSummary
from ruvon_server.auth import Principal, Standing
from ruvon_server.feed import OVERLAP_US, Change, Feed, Listener
from ruvon_server.messages import END, HEARTBEAT, OPENED, Message, entry_message, gap, row_of
from ruvon_server.problems import BadCursorError

__all__ = ["EventService", "Stream"]

_PLACE: Final = re.compile(r"(\d{1,16})-(\d{1,18})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_LATEST_US: Final = 2**53
"""The latest moment that every store orders exactly."""
_PAGE: Final = 500
_REPLAYED: Final = 5_000
"""So many changes are sent again at most to a stream that goes on."""
_SECOND_US: Final = 1_000_000
Stream: TypeAlias = AsyncGenerator[Message, None]


@final
class EventService:
    """Makes the streams; the first message of each says that it is open, and what is refused is raised before it.

    Args:
        builder: has the store and the clock.
        feed: tells what changes.
        heartbeat_s: so often a stream says that it lives, and asks whether whoever reads it still may, in seconds.
    """

    def __init__(self, builder: WorkflowBuilder, feed: Feed, heartbeat_s: float) -> None:
        self._store = builder.persistence
        self._clock = builder.engine().clock
        self._feed = feed
        self._heartbeat_s = heartbeat_s
        self._every_us = round(heartbeat_s * _SECOND_US)

    async def changes(
        self,
        principal: Principal,
        standing: Standing,
        *,
        statuses: Collection[str] = (),
        workflow_type: str | None = None,
        after: str | None = None,
        for_s: float | None = None,
    ) -> Stream:
        """The changes of every workflow that is there for whoever asks.

        Args:
            principal: who asks.
            standing: what he was let in with.
            statuses: only changes to one of these.
            workflow_type: only workflows of this type.
            after: the id of the last message that was seen; from now on where none is given.
            for_s: the stream ends after so many seconds.

        Raises:
            BadCursorError: the id is none of this stream.
            TooManyStreamsError: there are as many as this process takes.
            NotAuthenticatedError: whoever reads may not do so any more.
        """
        place = _place(after)

        def wanted(found: WorkflowSummary) -> bool:
            return (
                (not statuses or found.status in statuses)
                and workflow_type in {None, found.workflow_type}
                and principal.sees(found.owner_id, found.org_id)
            )

        async with self._feed.listening(wanted) as listener:
            yield OPENED
            told: dict[int, int] = {}
            if place is not None:
                async for change in self._since(place):
                    if change is None:
                        yield gap(None)
                    elif wanted(change.summary):
                        told[change.summary.key] = change.summary.updated_us
                        yield change.message
            async for found in self._live(listener, standing, for_s):
                if isinstance(found, Message):
                    yield found
                elif told.pop(found.summary.key, -1) < found.summary.updated_us:
                    yield found.message

    async def history(
        self,
        principal: Principal,
        standing: Standing,
        workflow_id: UUID,
        *,
        after: str | None = None,
        for_s: float | None = None,
    ) -> Stream:
        """The history of one workflow from its beginning or behind an entry, and how it stands whenever that changes.

        Args:
            principal: who asks.
            standing: what he was let in with.
            workflow_id: the workflow.
            after: the number of the last entry that was seen; from the beginning where none is given.
            for_s: the stream ends after so many seconds.

        Raises:
            WorkflowNotFoundError: there is none for whoever asks.
            BadCursorError: the number is none.
            TooManyStreamsError: there are as many as this process takes.
            NotAuthenticatedError: whoever reads may not do so any more.
        """
        seen = _number(after)
        async with self._feed.listening(lambda _: True, str(workflow_id)) as listener:
            record = await self._store.load_instance(workflow_id)
            if not principal.sees(record.owner_id, record.org_id):
                raise WorkflowNotFoundError(workflow_id)
            yield OPENED
            async for message in self._entries(workflow_id, seen):
                seen = int(message.id or seen)
                yield message
            yield Message("workflow", row_of(record))
            async for found in self._live(listener, standing, for_s):
                if isinstance(found, Message):
                    yield found
                    continue
                async for message in self._entries(workflow_id, seen):
                    seen = int(message.id or seen)
                    yield message
                yield Message("workflow", row_of(found.summary))

    async def _entries(self, workflow_id: UUID, seen: int) -> Stream:
        """The entries behind one, and a gap in front of those whose predecessors are not kept."""
        while True:
            page = await self._store.read_log(workflow_id, after=seen, limit=_PAGE)
            for entry in page:
                if entry.seq > seen + 1:
                    yield gap(entry.seq - seen - 1)
                seen = entry.seq
                yield entry_message(entry)
            if len(page) < _PAGE:
                return

    async def _since(self, place: tuple[int, int]) -> AsyncGenerator[Change | None, None]:
        """The changes since a place, and those that may have come behind it late; None where there are too many."""
        after, sent = (place[0] - OVERLAP_US, 0), 0
        while page := await self._store.changed_instances(after, limit=_PAGE):
            for summary in page:
                after = (summary.updated_us, summary.key)
                if after != place:
                    yield Change(summary)
            sent += len(page)
            if len(page) < _PAGE:
                return
            if sent >= _REPLAYED:
                yield None
                return

    async def _live(
        self, listener: Listener, standing: Standing, for_s: float | None
    ) -> AsyncGenerator[Change | Message, None]:
        """What the feed tells, and what is to be said beside it."""
        asked_us = self._clock.monotonic_us()
        end_us = None if for_s is None else asked_us + round(for_s * _SECOND_US)
        while True:
            missed, found = await listener.take(min(self._left_s(end_us), self._left_s(asked_us + self._every_us)))
            if self._clock.monotonic_us() - asked_us >= self._every_us:
                await standing.require()
                asked_us = self._clock.monotonic_us()
            if missed:
                yield gap(missed)
            for change in found:
                yield change
            if listener.is_over:
                yield END
                return
            if self._left_s(end_us) <= 0:
                return
            if not found:
                yield HEARTBEAT

    def _left_s(self, end_us: int | None) -> float:
        if end_us is None:
            return self._heartbeat_s
        return max(0.0, (end_us - self._clock.monotonic_us()) / _SECOND_US)


def _place(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = _PLACE.fullmatch(text)
    if found is None or int(found[1]) > _LATEST_US:
        raise BadCursorError
    return int(found[1]), int(found[2])


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if _NUMBER.fullmatch(text) is None:
        raise BadCursorError
    return int(text)
