"""The operations of the events room: each stream as server-sent events, and as a WebSocket of the same path."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from litestar import WebSocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, PathParameter, QueryParameter
from litestar.response import Stream as StreamResponse

from ruvon.ir import RuvonError
from ruvon.models import WorkflowStatus
from ruvon_server.auth import Permission, Principal, Standing
from ruvon_server.messages import refused
from ruvon_server.problems import NotAuthenticatedError, closing
from ruvon_server.rooms.events.service import EventService, Stream
from ruvon_server.routes import listens, reads

__all__ = ["OF_ALL", "OF_ONE"]

_KIND: Final = "text/event-stream"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_END_CODE: Final = 1012
"""The server is started again: the client may connect once more."""
_LONGEST: Final = 64
_ANSWER: Final = {
    200: ResponseSpec(
        str, generate_examples=False, media_type=_KIND, description="The stream, for as long as it is read"
    )
}

Id: TypeAlias = Annotated[UUID, PathParameter(description="The id of a workflow.")]
Service: TypeAlias = NamedDependency[EventService]
Asker: TypeAlias = NamedDependency[Principal]
LetIn: TypeAlias = NamedDependency[Standing]
After: TypeAlias = Annotated[
    str | None,
    QueryParameter(max_length=_LONGEST, description="The id of the last message that was seen; goes on behind it."),
]
LastEventId: TypeAlias = Annotated[
    str | None, HeaderParameter(name="Last-Event-ID", max_length=_LONGEST, description="In place of `after`.")
]
ForSeconds: TypeAlias = Annotated[
    float | None, QueryParameter(ge=0, le=86_400, description="Ends the stream after so many seconds.")
]
Statuses: TypeAlias = Annotated[
    list[WorkflowStatus] | None, QueryParameter(description="Only changes to one of these; may be there often.")
]
Kind: TypeAlias = Annotated[str | None, QueryParameter(max_length=1_000, description="Only workflows of this type.")]


async def _events(stream: Stream) -> StreamResponse:
    """The answer with a stream that is open."""
    first = await anext(stream)

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            yield b"retry: 1000\n" + first.event_form
            async for message in stream:
                yield message.event_form
        except NotAuthenticatedError as exc:
            yield refused(str(exc)).event_form
        finally:
            await stream.aclose()

    return StreamResponse(chunks(), media_type=_KIND, headers=_HEADERS)


async def _talk(socket: WebSocket[Any, Any, Any], stream: Stream) -> None:
    """Send a stream until it ends or nobody reads any more; what comes from there is ignored."""
    try:
        first = await anext(stream)
    except RuvonError as exc:
        raise closing(exc) from exc
    await socket.accept()
    await socket.send_text(first.text_form)

    async def send() -> None:
        try:
            async for message in stream:
                await socket.send_text(message.text_form)
        except NotAuthenticatedError as exc:
            refusal = closing(exc)
            await socket.close(code=refusal.code, reason=refusal.detail)
            return
        await socket.close(code=_END_CODE, reason="the stream has ended; connect again with the last id")

    tasks = {asyncio.create_task(send()), asyncio.create_task(_until_gone(socket))}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await stream.aclose()
    for task in done:
        await task


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    while True:
        try:
            await socket.receive_data(mode="text")
        except WebSocketDisconnect:
            return


@reads(
    "/",
    name="stream_events",
    permission=Permission.WORKFLOWS_READ,
    problems=("bad-cursor", "too-many-streams"),
    media_type=_KIND,
    answers=_ANSWER,
)
async def stream_events(
    service: Service,
    principal: Asker,
    standing: LetIn,
    status: Statuses = None,
    workflow_type: Kind = None,
    after: After = None,
    last_event_id: LastEventId = None,
    for_s: ForSeconds = None,
) -> StreamResponse:
    """Follow the changes of all workflows as server-sent events."""
    return await _events(
        service.changes(
            principal,
            standing,
            statuses=[item.value for item in status or ()],
            workflow_type=workflow_type,
            after=last_event_id or after,
            for_s=for_s,
        )
    )


@reads(
    "/{workflow_id:uuid}/events",
    name="stream_workflow_events",
    permission=Permission.WORKFLOWS_READ,
    problems=("workflow-not-found", "bad-cursor", "too-many-streams"),
    media_type=_KIND,
    answers=_ANSWER,
)
async def stream_workflow_events(
    workflow_id: Id,
    service: Service,
    principal: Asker,
    standing: LetIn,
    after: After = None,
    last_event_id: LastEventId = None,
    for_s: ForSeconds = None,
) -> StreamResponse:
    """Follow the history of one workflow as server-sent events, from its beginning or behind an entry."""
    return await _events(service.history(principal, standing, workflow_id, after=last_event_id or after, for_s=for_s))


@listens("/", name="watch_events", permission=Permission.WORKFLOWS_READ)
async def watch_events(
    socket: WebSocket[Any, Any, Any],
    service: Service,
    principal: Asker,
    standing: LetIn,
    status: Statuses = None,
    workflow_type: Kind = None,
    after: After = None,
    for_s: ForSeconds = None,
) -> None:
    """Follow the changes of all workflows over a WebSocket."""
    statuses = [item.value for item in status or ()]
    await _talk(
        socket,
        service.changes(principal, standing, statuses=statuses, workflow_type=workflow_type, after=after, for_s=for_s),
    )


@listens("/{workflow_id:uuid}/events", name="watch_workflow_events", permission=Permission.WORKFLOWS_READ)
async def watch_workflow_events(
    workflow_id: Id,
    socket: WebSocket[Any, Any, Any],
    service: Service,
    principal: Asker,
    standing: LetIn,
    after: After = None,
    for_s: ForSeconds = None,
) -> None:
    """Follow the history of one workflow over a WebSocket."""
    await _talk(socket, service.history(principal, standing, workflow_id, after=after, for_s=for_s))


OF_ALL: Final[list[Any]] = [stream_events, watch_events]
OF_ONE: Final[list[Any]] = [stream_workflow_events, watch_workflow_events]
