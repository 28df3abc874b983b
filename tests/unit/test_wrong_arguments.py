"""What applications give to the builder and to handles by mistake: a typed error that says what is taken."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import human, receive, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import InvalidInputError, WrongArgumentError
from ruvon.ir import RuvonError
from ruvon.testing import HarnessError, TestHarness


class Paper(BaseModel):
    n: int = 0


class Paid(BaseModel):
    amount: int


@step
def count(state: Paper) -> None:
    state.n += 1


@workflow("Mistaken")
async def mistaken(state: Paper) -> int:
    await count(state)
    await human("ask")
    paid = await receive(Paid)
    return paid.amount


Mistake = Callable[[WorkflowBuilder, Any], Awaitable[object]]

MISTAKES: dict[str, tuple[Mistake, str]] = {
    "create a function": (lambda b, _: b.create_workflow(_any(mistaken)), 'write "Mistaken"'),
    "create nothing": (lambda b, _: b.create_workflow(_any(None)), "takes the name of a registered type, not None"),
    "metadata": (lambda b, _: b.create_workflow("Mistaken", metadata=_any(5)), "metadata takes a mapping"),
    "priority": (lambda b, _: b.create_workflow("Mistaken", priority=_any("high")), "priority takes a whole number"),
    "key": (lambda b, _: b.create_workflow("Mistaken", idempotency_key=_any(5)), "takes text, not 5"),
    "load nothing": (lambda b, _: b.load_workflow(_any(None)), "workflow_id takes the id of a workflow"),
    "load a number": (lambda b, _: b.load_workflow(_any(5)), "not 5"),
    "schedule": (lambda b, _: b.schedules.add("n", _any(mistaken), cron="* * * * *"), 'write "Mistaken"'),
    "rewind to nothing": (lambda _, run: run.rewind(None), "takes the name of a step, an activation"),
    "fork at a fraction": (lambda _, run: run.fork(1.5), "not 1.5"),
}


def _any(value: object) -> Any:
    return value


def played(mistake: Mistake) -> None:
    """Make a mistake with a run that waits for a person."""

    async def scene() -> None:
        builder = WorkflowBuilder()
        builder.register(mistaken)
        await builder.initialize()
        run = await builder.create_workflow("Mistaken")
        await run.run()
        await mistake(builder, run)

    asyncio.run(scene())


@pytest.mark.parametrize("name", MISTAKES)
def test_an_argument_of_another_kind_is_refused_with_a_sentence(name: str) -> None:
    """One class that is a `TypeError` too, and the text says what is taken."""
    mistake, says = MISTAKES[name]
    with pytest.raises(WrongArgumentError) as refused:
        played(mistake)
    assert says in str(refused.value)
    assert isinstance(refused.value, RuvonError)
    assert isinstance(refused.value, TypeError)


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (
            lambda _, run: run.rewind("count", state=5),
            "the edited state is not valid: it is a mapping of fields to values, not 5",
        ),
        (lambda _, run: run.signal(Paid), "it is the class `Paid`; give an instance of it, or its name"),
    ],
    ids=["edits", "class"],
)
def test_input_of_another_kind_is_invalid_input(mistake: Mistake, says: str) -> None:
    """As everything that is given to a run and does not fit."""
    with pytest.raises(InvalidInputError, match=says):
        played(mistake)


@pytest.mark.parametrize("given", [Paper, "count"])
def test_a_step_type_is_a_class_of_one(given: object) -> None:
    """Neither another class nor a name."""
    with pytest.raises(WrongArgumentError, match="takes subclasses of WorkflowStep"):
        WorkflowBuilder().register_step_type(_any(given))


@pytest.mark.parametrize(("given", "says"), [(5, "write advance"), (timedelta(seconds=-1), "goes forward")])
def test_the_clock_of_a_harness_goes_on_by_a_timedelta(given: object, says: str) -> None:
    """Numbers have no unit, and time does not go back."""
    with TestHarness(mistaken) as harness, pytest.raises(HarnessError, match=says):
        harness.advance(_any(given))


def test_a_harness_loads_by_id() -> None:
    """As the builder does."""
    with TestHarness(mistaken) as harness, pytest.raises(WrongArgumentError):
        harness.load(_any(None))
