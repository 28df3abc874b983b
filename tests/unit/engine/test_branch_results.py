"""What a branch has just got is kept by the commit of the message that brought it, although the branch has not gone on.

A branch that gets a message goes on in its turn of the loop; another one may commit before that turn.
"""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import Run
from ruvon.engine._inbox import take_inbox
from ruvon.providers import InboxEntry, InboxKind
from tests.support import branch_flows as flows
from tests.support.branch_flows import Bag
from tests.support.engine_world import make_builder


@pytest.mark.parametrize("flow", flows.WORKFLOWS, ids=lambda flow: str(flow.name))
def test_a_value_that_was_taken_and_committed_is_there_after_a_crash(flow: Any) -> None:
    """Each message is taken in a commit of its own, behind which the process ends."""
    builder = make_builder()
    builder.register(flow)

    async def scenario() -> Any:
        workflow = await builder.create_workflow(flow.name, Bag())
        await workflow.run()
        workflow_id, engine = UUID(workflow.id), builder.engine()
        for key, by in (("a", 3), ("b", 4)):
            sent = InboxEntry(workflow_id, InboxKind.SIGNAL, "tests.support.branch_flows:Press", b'{"by":%d}' % by, key)
            await engine.store.append_inbox(sent)
            taken = await engine.store.read_inbox(workflow_id)

            def take(run: Run, taken: Any = taken) -> None:
                run.inbox.extend(taken)
                take_inbox(run)

            await engine.change(workflow_id, take)
            workflow = await builder.load_workflow(workflow.id)
            await workflow.run()
        return workflow

    assert asyncio.run(scenario()).result == [3, 4]
