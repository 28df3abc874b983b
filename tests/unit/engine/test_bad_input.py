"""What a step gives or asks wrongly: a typed error with step, attempt and position, and the state of the last commit."""

import asyncio
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel

from ruvon import Retry, gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition
from ruvon.models import StartSubWorkflowDirective, WorkflowJumpDirective, WorkflowPauseDirective, WorkflowStatus
from tests.support.engine_world import JumpingClock

TWICE = Retry(max_attempts=2, delay=timedelta(seconds=1))
LARGE = 50_000_000


class Paper(BaseModel):
    lines: list[str] = []
    text: str = ""


@step
def begin(state: Paper) -> None:
    state.lines.append("begun")


@step
def wrong(state: Paper) -> int:
    state.lines.append("lost")
    return "many"  # type: ignore[return-value]


@step
def unstorable(state: Paper) -> object:
    state.lines.append("lost")
    return open  # no value


@step
def misfit(state: Paper) -> dict[str, object]:
    return {"lines": 5}


@step(timeout=timedelta(seconds=5), retry=TWICE)
async def hang(state: Paper) -> None:
    state.lines.append("lost")
    await asyncio.Event().wait()


@step
def steer(number: int) -> int:
    raise WorkflowPauseDirective({"number": number})


@step
def astray(state: Paper) -> None:
    state.lines.append("lost")
    raise WorkflowJumpDirective("Nowhere")


@step
def foster(state: Paper) -> None:
    state.lines.append("lost")
    raise StartSubWorkflowDirective("Nobody", {})


@step
def enlarge(state: Paper) -> str:
    state.text = "x" * LARGE
    return state.text


@workflow("BadWrong", version="1")
async def bad_wrong(state: Paper) -> None:
    await begin(state)
    await wrong(state)


@workflow("BadValue", version="1")
async def bad_value(state: Paper) -> None:
    await begin(state)
    await unstorable(state)


@workflow("BadFit", version="1")
async def bad_fit(state: Paper) -> None:
    await begin(state)
    await misfit(state)


@workflow("BadHang", version="1")
async def bad_hang(state: Paper) -> None:
    await begin(state)
    await hang(state)


@workflow("BadSteer", version="1")
async def bad_steer(state: Paper) -> None:
    await begin(state)
    await gather(*(steer(number) for number in range(2)))


@workflow("BadJump", version="1")
async def bad_jump(state: Paper) -> None:
    await begin(state)
    await astray(state)


@workflow("BadChild", version="1")
async def bad_child(state: Paper) -> None:
    await begin(state)
    await foster(state)


@workflow("Large", version="1")
async def large(state: Paper) -> int:
    text = await enlarge(state)
    await begin(state)
    return len(text)


ALL = (bad_wrong, bad_value, bad_fit, bad_hang, bad_steer, bad_jump, bad_child, large)


@cache
def _definitions() -> tuple[Definition, ...]:
    builder = WorkflowBuilder(plugins=False)
    builder.register(*ALL)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


def _builder() -> WorkflowBuilder:
    clock = JumpingClock()
    made = WorkflowBuilder(
        persistence_provider=MemoryPersistenceProvider(clock), clock=clock, plugins=False, import_roots=["tests"]
    )
    made.register(*_definitions())
    return made


@pytest.mark.parametrize(
    ("name", "kind", "at", "activation", "attempt"),
    [
        pytest.param("BadWrong", "InvalidValueError", "wrong", "wrong", 1, id="a result of the wrong type"),
        pytest.param("BadValue", "NotStorableError", "unstorable", "unstorable", 1, id="a result that is no value"),
        pytest.param("BadFit", "InvalidValueError", "misfit", "misfit", 1, id="a key of the wrong type"),
        pytest.param("BadHang", "TimedOut", "hang", "hang", 2, id="a hang"),
        pytest.param("BadSteer", "JumpTargetError", "steer", "gather[0]/steer", 1, id="a directive in a task"),
        pytest.param("BadJump", "JumpTargetError", "astray", "astray", 1, id="a jump to an unknown step"),
        pytest.param("BadChild", "UnknownWorkflowTypeError", "foster", "foster", 1, id="an unknown child"),
    ],
)
def test_the_instance_holds_a_typed_error(name: str, kind: str, at: str, activation: str, attempt: int) -> None:
    """Issue 3: class, step, activation and attempt; it stands where it failed, with nothing of the step merged."""

    async def scenario() -> None:
        builder = _builder()
        run = await builder.create_workflow(name, {})
        await run.run()
        record = await builder.persistence.load_instance(UUID(run.id))
        error: dict[str, Any] = orjson.loads(record.error or b"{}")
        assert (record.status, record.current_step) == (WorkflowStatus.FAILED, activation.partition("[")[0])
        found = (error["path"].rpartition(":")[2], error["step"], error["activation"], error["attempt"])
        assert found == (kind, at, activation, attempt)
        assert (await builder.load_workflow(run.id)).state.lines == ["begun"]

    asyncio.run(scenario())


def test_a_result_of_fifty_megabytes_is_kept() -> None:
    """In the state, in the result and in the log, and it is there after a reload."""

    async def scenario() -> None:
        builder = _builder()
        run = await builder.create_workflow("Large", {})
        await run.run()
        again = await builder.load_workflow(run.id)
        assert (again.status, again.result) == (WorkflowStatus.COMPLETED, LARGE)
        assert (len(again.state.text), again.state.lines) == (LARGE, ["begun"])

    asyncio.run(scenario())
