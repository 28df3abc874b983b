"""Where the definitions of children come from: the parent's registration, the store, or a later deployment."""

import asyncio

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Call, Definition, Graph, Node, Start
from ruvon.models import WorkflowStatus
from tests.simulation import flows
from tests.simulation.flows import BANK, Box


def _builder(*workflows: object, store: MemoryPersistenceProvider | None = None) -> WorkflowBuilder:
    made = WorkflowBuilder(plugins=False, import_roots=["tests"], persistence_provider=store)
    made.register(*workflows)
    return made


def _parent() -> Definition:
    """Pays, then starts a child of a type that only its name says."""
    nodes = {
        "first": Node(id="first", action=Call(function="tests.unit.engine.test_children_found:once"), next="child"),
        "child": Node(id="child", action=Start(child="Leaf"), next="END"),
    }
    return Definition(
        workflow_type="ByName", state="tests.simulation.flows:Box", graph=Graph(entry="first", nodes=nodes), saga=True
    )


def once() -> None:
    """Leaves a trace of each call."""
    BANK[f"call {len(BANK)}"] = "once"


def test_what_a_workflow_starts_is_registered_with_it() -> None:
    """A body that names a child as a Python object needs no second registration, grandchildren neither."""
    assert _builder(flows.parent).registered_types() == ["Leaf", "Middle", "Parent"]


def test_another_process_finds_children_in_the_store() -> None:
    """Definitions of children are stored with the parent, so a process that registered nothing can go on."""

    async def scenario() -> None:
        store = MemoryPersistenceProvider()
        workflow = await _builder(flows.rolled, store=store).create_workflow("Rolled", Box())

        other = await _builder(store=store).load_workflow(workflow.id)
        await other.run()

        assert other.status is WorkflowStatus.FAILED_ROLLED_BACK
        assert "child" not in str(other.error)

    asyncio.run(scenario())


def test_an_unknown_child_is_a_matter_of_deployment() -> None:
    """The drive is refused where the child is started; nothing is undone, and with the type registered it goes on."""

    async def scenario() -> None:
        BANK.clear()
        builder = _builder(_parent())
        workflow = await builder.create_workflow("ByName", Box())

        for _ in range(2):
            with pytest.raises(UnknownWorkflowTypeError, match="Leaf"):
                await workflow.run()
            await workflow.refresh()
            assert (workflow.status, workflow.current_step_name) == (WorkflowStatus.ACTIVE, "child")
        assert list(BANK.values()) == ["once"]

        builder.register(flows.leaf)
        await workflow.run()
        assert workflow.status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())
