"""The methods of both clients have the fields of the models as their arguments, and the models as their results."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import assert_type

from ruvon_server.client import AsyncClient, Client, ServerEvent
from ruvon_server.models.workflows import RewindPlan, WorkflowInfo, WorkflowPage, WorkflowRow


def asks(ruvon: Client, workflow_id: str) -> None:
    """What a program asks of a server."""
    assert_type(ruvon.start_workflow(workflow_type="Order", data={"number": 1}, wait_s=2), WorkflowInfo)
    assert_type(ruvon.list_workflows(status=["FAILED"], limit=10), WorkflowPage)
    assert_type(ruvon.each_workflow(workflow_type="Order"), Iterator[WorkflowRow])
    assert_type(ruvon.rewind_workflow(workflow_id, to="charge"), WorkflowInfo | RewindPlan)
    assert_type(ruvon.wait(workflow_id), WorkflowInfo)
    assert_type(ruvon.stream_workflow_events(workflow_id), Generator[ServerEvent, None, None])


async def awaits(ruvon: AsyncClient, workflow_id: str) -> None:
    """The same from an event loop."""
    assert_type(await ruvon.get_workflow(workflow_id), WorkflowInfo)
    assert_type(ruvon.each_workflow(), AsyncIterator[WorkflowRow])
    assert_type(ruvon.stream_events(status=["FAILED"]), AsyncGenerator[ServerEvent, None])


def mistakes(ruvon: Client, workflow_id: str) -> None:
    """What both checkers find."""
    ruvon.start_workflow(data={})  # expect-error: mypy=call-arg pyright=reportCallIssue
    ruvon.start_workflow(workflow_type=1)  # expect-error: mypy=arg-type pyright=reportArgumentType
    ruvon.signal_workflow(name="Paid")  # expect-error: mypy=call-arg pyright=reportCallIssue
    ruvon.cancel_workflow(workflow_id, why="x")  # expect-error: mypy=call-arg pyright=reportCallIssue
