"""Law 4 and an operator's retry of a compound node: its work is attempted again, its cleanup is done again."""

import asyncio

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from tests.support import retried_flows as flows
from tests.support.retried_flows import FAILS, KEYS


def _retried(name: str, times: int = 1) -> MemoryPersistenceProvider:
    """Fail, retry so often, the last time with success."""
    store = MemoryPersistenceProvider()

    async def scenario() -> None:
        KEYS.clear()
        FAILS.add("charge")
        builder = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["tests"])
        builder.register(*flows.ALL)
        made = await builder.create_workflow(name, {})
        await made.run()
        for turn in range(times):
            await made.refresh()
            assert made.status in (WorkflowStatus.FAILED, WorkflowStatus.FAILED_CHILD_WORKFLOW)
            if turn == times - 1:
                FAILS.clear()
            await (await builder.load_workflow(made.id)).retry()
        await made.refresh()
        assert made.status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())
    return store


def _keys(step: str) -> list[str]:
    return [key for name, key in KEYS if name == step]


@pytest.mark.parametrize("name", ["RetriedTry", "RetriedHandler", "RetriedBranches"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_step_that_did_not_complete_keeps_its_key(name: str, times: int) -> None:
    """It may have had its effect, which must not happen twice."""
    _retried(name, times)
    assert len(_keys("charge")) == times + 1
    assert len(set(_keys("charge"))) == 1


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(("name", "step", "more"), [("RetriedTry", "release", 1), ("RetriedHandler", "mark", 0)])
def test_what_cleans_up_again_has_a_key_of_its_own(name: str, step: str, more: int, times: int) -> None:
    """What it releases was taken again; the provider must not take the second release for the first one."""
    _retried(name, times)
    assert len(_keys(step)) == times + more
    assert len(set(_keys(step))) == times + more


def test_what_came_before_is_not_done_again() -> None:
    """Neither attempted nor done."""
    _retried("RetriedTry")
    assert len(_keys("lock")) == 1


def test_a_child_in_it_is_started_as_a_new_one() -> None:
    """The one before has ended."""
    store = _retried("RetriedParent")

    async def rows() -> list[tuple[str, str]]:
        found = await store.find_instances(InstanceFilter())
        return sorted((row.workflow_type, row.status) for row in found)

    assert asyncio.run(rows()) == [
        ("RetriedChild", "COMPLETED"),
        ("RetriedChild", "FAILED"),
        ("RetriedParent", "COMPLETED"),
    ]
