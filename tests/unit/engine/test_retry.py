"""`retry()` needs no step: whatever ran between the error and the end of the workflow, the failed step begins anew."""

import asyncio
from typing import Any

import pytest

from ruvon.engine import RepairError
from ruvon.models import WorkflowStatus
from tests.support.migrating import HEAD, Shop

FAILING = """
@step
async def fail(state: Order) -> int:
    raise ValueError("no")
"""
MENDED = FAILING.replace('raise ValueError("no")', "return 5")


def retried(body: str) -> Any:
    """A workflow that has failed, retried with code that works."""
    text = f'\n@workflow("Shop", version="1")\nasync def shop(state: Order) -> int:\n{body}'

    async def scene() -> Any:
        shop = Shop()
        shop.deploy(text, HEAD + FAILING)
        workflow = await shop.begin()
        assert workflow.status in (WorkflowStatus.FAILED, WorkflowStatus.FAILED_CHILD_WORKFLOW), workflow.error
        shop.deploy(text, HEAD + MENDED)
        workflow = await shop.builder.load_workflow(workflow.id)
        await workflow.retry(actor="ann")
        return workflow

    return asyncio.run(scene())


FINALLY = """
    await charge(state, amount=10)
    try:
        got = await fail(state)
    finally:
        await note(state, text="f")
    return got
"""


def test_what_failed_under_a_finally_begins_anew() -> None:
    """Nothing that completed runs twice; what cleans up runs again."""
    workflow = retried(FINALLY)

    assert (workflow.status, workflow.result) == (WorkflowStatus.COMPLETED, 5)
    assert (workflow.state.total, workflow.state.text) == (11, "f;f;")
    history = asyncio.run(_history(workflow))
    assert [(item["step"], item["note"]) for item in history if item["kind"] == "repair"] == [("fail", "retry by ann")]


async def _history(workflow: Any) -> Any:
    return await workflow.history()


def test_what_was_handled_and_raised_again_begins_anew() -> None:
    """Standing at the `raise`, it would fail again for ever."""
    body = """
    try:
        got = await fail(state)
    except ValueError:
        await note(state, text="handled")
        raise
    return got
"""
    assert retried(body).result == 5


def test_an_error_that_a_handler_made_of_another_begins_anew() -> None:
    """In a loop, the turn goes on; the turns before it are not run again."""
    body = """
    got = 0
    for n in range(2):
        await charge(state, amount=n)
        try:
            try:
                more = await fail(state)
                got += more
            except ValueError as err:
                raise LookupError(str(err)) from err
        except LookupError as outer:
            raise KeyError(str(outer)) from outer
    return got
"""
    workflow = retried(body)

    assert (workflow.status, workflow.result) == (WorkflowStatus.COMPLETED, 10)
    steps = [item["activation"] for item in asyncio.run(_history(workflow)) if item["step"] == "charge"]
    assert steps == ["for[0]/charge", "for[1]/charge"]


def test_a_branch_that_failed_beside_a_child_begins_anew() -> None:
    """The child is told to end, so the PARALLEL was left; another child is started."""
    body = """
    async def left() -> int:
        return await fail(state)

    async def right() -> int:
        await inner(Order())
        return 2

    one, two = await gather(left(), right())
    return one + two

@workflow("Inner", version="1")
async def inner(state: Order) -> None:
    await note(state, text="child")
"""
    assert retried(body).result == 7


AROUND_A_CHILD = """
    try:
        await inner(Order())
    finally:
        await note(state, text="f")
    return 7

@workflow("Inner", version="1")
async def inner(state: Order) -> None:
    await fail(state)
"""


def test_another_child_is_started_for_one_that_failed_under_a_finally() -> None:
    """The old one has ended, and would never be heard of again."""
    assert retried(AROUND_A_CHILD).result == 7


TWICE = """
    for n in range(2):
        try:
            await charge(state, amount=n)
            await fail(state)
        finally:
            await note(state, text="f")
    return 1
"""


def test_a_step_that_would_be_done_twice_is_named() -> None:
    """The refusal says which, and both ways on; a rewind does what is left."""
    with pytest.raises(RepairError) as caught:
        retried(TWICE)
    assert "`try`, inside which it failed, was left, and `for[0]/charge` would be done again there" in str(caught.value)
    assert "rewind to the step that failed" in str(caught.value)

    async def rewound() -> Any:
        shop = Shop()
        text = f'\n@workflow("Shop", version="1")\nasync def shop(state: Order) -> int:\n{TWICE}'
        shop.deploy(text, HEAD + FAILING)
        workflow = await shop.begin()
        shop.deploy(text, HEAD + MENDED)
        workflow = await shop.builder.load_workflow(workflow.id)
        await workflow.rewind("fail")
        await workflow.run()
        return [item["activation"] for item in await workflow.history() if item["step"] == "charge"]

    assert asyncio.run(rewound()) == ["for[0]/charge", "e1:for[1]/charge"]


def test_what_was_rolled_back_is_not_retried() -> None:
    """It may be rewound: then what was undone is done again."""
    text = '\n@workflow("Shop", version="1", saga=True)\nasync def shop(state: Order) -> int:\n'

    async def scene() -> Any:
        shop = Shop()
        shop.deploy(text + "    await charge(state, amount=1)\n    return await fail(state)\n", HEAD + FAILING)
        workflow = await shop.begin()
        with pytest.raises(RepairError, match="start a new one, or rewind it to where it is to begin again"):
            await workflow.retry()
        shop.deploy(text + "    await charge(state, amount=1)\n    return await fail(state)\n", HEAD + MENDED)
        workflow = await shop.builder.load_workflow(workflow.id)
        await workflow.rewind("charge")
        await workflow.run()
        return workflow.result, workflow.state.total

    assert asyncio.run(scene()) == (5, 2)


def test_a_failed_rollback_is_not_retried_as_a_step() -> None:
    """The refusal names what can be repeated."""
    text = '\n@workflow("Shop", version="1", saga=True)\nasync def shop(state: Order) -> int:\n'
    head = HEAD.replace("    state.total -= amount", "    raise OSError('bank')") + FAILING

    async def scene() -> None:
        shop = Shop()
        shop.deploy(text + "    await charge(state, amount=1)\n    return await fail(state)\n", head)
        workflow = await shop.begin()
        assert workflow.status is WorkflowStatus.FAILED
        with pytest.raises(RepairError, match=r"the rollback of it failed; repeat the compensations that did not work"):
            await workflow.retry()

    asyncio.run(scene())
