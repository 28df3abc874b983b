"""Section 8.4: one answer to one wait, however many send one at the same time."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import NotWaitingForInputError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import END, Call, Definition, Graph, Node
from ruvon.ir.expr import parse
from ruvon.providers import WorkflowBusyError
from tests.support.engine_steering import GATES, Gate
from tests.support.engine_world import JumpingClock, make_builder

STORES = ("memory", "sqlite")


async def opened(kind: str, path: Path, clock: JumpingClock) -> Any:
    """A builder on a store of this kind."""
    store: Any = (
        MemoryPersistenceProvider(clock) if kind == "memory" else SQLitePersistenceProvider(path / "answers.db")
    )
    builder = make_builder(store, clock=clock)
    await builder.initialize()
    return builder


@pytest.mark.parametrize("kind", STORES)
def test_one_of_four_answers_is_taken(kind: str, tmp_path: Path, clock: JumpingClock) -> None:
    """The others are told that nothing waits for them; nobody believes that a lost answer counted."""

    async def scenario() -> tuple[Any, list[Any]]:
        builder = await opened(kind, tmp_path, clock)
        run = await builder.create_workflow("Approval", {})
        await run.run()
        handles = [await builder.load_workflow(run.id) for _ in range(4)]
        answers = [handle.answer({"approved": True, "reason": str(number)}) for number, handle in enumerate(handles)]
        found = await asyncio.gather(*answers, return_exceptions=True)
        run = await builder.load_workflow(run.id)
        await builder.close()
        return run, found

    run, found = asyncio.run(scenario())
    taken = [number for number, item in enumerate(found) if item is None]
    assert len(taken) == 1
    assert [type(item) for item in found if item is not None] == [NotWaitingForInputError] * 3
    assert run.status == "COMPLETED"
    assert run.result.endswith(str(taken[0]))


@pytest.mark.parametrize("kind", STORES)
def test_every_turn_of_a_restarting_workflow_takes_its_answer(kind: str, tmp_path: Path, clock: JumpingClock) -> None:
    """The same wait of the next life of an instance is another wait."""

    async def scenario() -> list[str]:
        builder = await opened(kind, tmp_path, clock)
        run = await builder.create_workflow("AskedAgain", {})
        await run.run()
        for number in range(3):
            await run.answer({"approved": True, "reason": str(number)})
        state: list[str] = run.state.tags
        await builder.close()
        return state

    assert asyncio.run(scenario()) == ["0", "1", "2"]


def test_an_answer_in_the_inbox_comes_before_input(clock: JumpingClock) -> None:
    """`next_step` with input does not overtake an answer that was accepted before it."""

    async def scenario() -> Any:
        builder = make_builder(clock=clock)
        run = await builder.create_workflow("Approval", {})
        await run.run()
        other = await builder.load_workflow(run.id)
        hold = await builder.persistence.hold(other._run.record.workflow_id)
        await other.answer({"approved": True, "reason": "first"})  # lies in the inbox: somebody else drives
        await hold.release()
        with pytest.raises(NotWaitingForInputError):
            await run.next_step({"approved": True, "reason": "second"})
        await run.next_step()
        return run

    assert asyncio.run(scenario()).result.endswith("first")


SLOW = Definition(
    workflow_type="Slow",
    state="tests.support.engine_flows:Doc",
    strict_results=False,
    graph=Graph(
        entry="take",
        nodes={
            "take": Node(
                id="take",
                action=Call(
                    function="tests.support.engine_steering:take_slowly",
                    args={"state": parse("state")},
                    input_model="tests.support.engine_steering:Answer",
                ),
                next=END,
                automate_next=True,
            )
        },
    ),
)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("how", ["answer", "next_step"])
def test_who_comes_second_while_input_is_worked_on_is_refused(
    kind: str, how: str, tmp_path: Path, clock: JumpingClock
) -> None:
    """`next_step` took the wait, and its step still runs: nothing that is sent to the same wait is dropped unsaid."""

    async def scenario() -> tuple[Any, Any]:
        builder = await opened(kind, tmp_path, clock)
        builder.register(SLOW)
        gate = Gate()
        GATES.append(gate)
        run = await builder.create_workflow("Slow", {})
        await run.run()
        other = await builder.load_workflow(run.id)
        first = asyncio.create_task(run.next_step({"yes": True, "why": "first"}))
        await gate.reached.wait()
        with pytest.raises(NotWaitingForInputError if how == "answer" else WorkflowBusyError):
            await getattr(other, how)({"yes": False, "why": "second"})
        gate.open.set()
        await first
        left = await builder.persistence.read_inbox(UUID(run.id))
        await builder.close()
        return run.state.text, list(left)

    assert asyncio.run(scenario()) == ("first", [])


def test_input_that_was_taken_outlives_its_process(clock: JumpingClock) -> None:
    """A process that dies while the step works has not lost what a person said."""

    async def scenario() -> Any:
        store = MemoryPersistenceProvider(clock)
        builder = make_builder(store, clock=clock)
        builder.register(SLOW)
        GATES.append(Gate())
        run = await builder.create_workflow("Slow", {})
        await run.run()
        first = asyncio.create_task(run.next_step({"yes": True, "why": "said once"}))
        await GATES[-1].reached.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        GATES.append(Gate())
        GATES[-1].open.set()
        again = await builder.load_workflow(run.id)
        await again.run()
        return again.status, again.state.text

    assert asyncio.run(scenario()) == ("COMPLETED", "said once")


def test_an_answer_for_another_step_names_those_that_wait(clock: JumpingClock) -> None:
    """Where a step is named that does not wait, the error says which do."""

    async def scenario() -> NotWaitingForInputError:
        builder = make_builder(MemoryPersistenceProvider(clock), clock=clock)
        await builder.initialize()
        run = await builder.create_workflow("Approval", {})
        await run.run()
        asked = run.waiting_for[0]["step"]
        with pytest.raises(NotWaitingForInputError) as caught:
            await run.answer({"approved": True}, step="nope")
        assert caught.value.asking == (asked,)
        await builder.close()
        return caught.value

    error = asyncio.run(scenario())
    assert str(error).startswith("no step `nope` of the workflow ")
    assert str(error).endswith(f"waits for input; those that do: `{error.asking[0]}`")
