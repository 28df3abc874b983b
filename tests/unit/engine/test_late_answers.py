"""An answer that races with the timeout of its wait: one of the two counts, whoever drives, and both are seen."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import cache
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel

from ruvon import TimedOut, human, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import NotWaitingForInputError
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind
from ruvon.testing._loop import VirtualLoop, run_virtual
from tests.support import limit_flows as flows
from tests.support.virtual_place import Place

MINUTE_US = 60_000_000


class Said(BaseModel):
    ok: bool = True


class Case(BaseModel):
    came: str = ""


@step
def decided(state: Case, came: str) -> None:
    state.came = came


@workflow("Asked")
async def asked(state: Case) -> None:
    """Somebody has ten minutes."""
    try:
        await human("decide", form=Said, timeout=timedelta(minutes=10))
        await decided(state, "answer")
    except TimedOut:
        await decided(state, "timeout")
    await human("confirm", form=Said)


@cache
def _definitions() -> tuple[Definition, ...]:
    builder = WorkflowBuilder(plugins=False)
    builder.register(asked)
    return (builder.get_definition("Asked"),)


async def _sent(place: Place, workflow_id: str, at_us: int) -> None:
    """An answer that was sent at a moment, by somebody who does not wake the run."""
    row = await place.store.load_instance(UUID(workflow_id))
    wait = orjson.loads(row.waiting_for or b"[]")[0]
    data = orjson.dumps({"ok": True})
    await place.store.append_inbox(InboxEntry(UUID(workflow_id), InboxKind.ANSWER, wait["id"], data, None, "a", at_us))


@pytest.mark.parametrize("drives_between", [False, True])
@pytest.mark.parametrize(
    ("after", "came", "kinds"), [(9, "answer", []), (10, "timeout", ["late"]), (11, "timeout", ["late"])]
)
def test_the_moment_of_sending_decides(after: int, came: str, kinds: list[str], drives_between: bool) -> None:
    """Not who drives the run when; what loses is in the history."""

    async def scenario(loop: VirtualLoop) -> None:
        place = Place(loop, flows, _definitions())
        made = await place.builder().create_workflow("Asked", {})
        await made.run()
        began = place.clock.now_us()
        await place.clock.sleep_us(after * MINUTE_US)
        await _sent(place, made.id, began + after * MINUTE_US)
        if not drives_between:
            await place.clock.sleep_us(5 * MINUTE_US)
        again = await place.builder().load_workflow(made.id)
        await again.run()
        await again.refresh()
        assert (again.state.came, again.status) == (came, WorkflowStatus.WAITING_HUMAN)
        log = await place.store.read_log(UUID(made.id))
        assert [entry.kind for entry in log if entry.kind == "late"] == kinds
        assert await place.store.read_inbox(UUID(made.id)) == []

    run_virtual(scenario)


def test_whoever_answers_too_late_is_told() -> None:
    """Though nobody has driven the run since; and the run has taken the timeout."""

    async def scenario(loop: VirtualLoop) -> None:
        place = Place(loop, flows, _definitions())
        made = await place.builder().create_workflow("Asked", {})
        await made.run()
        await place.clock.sleep_us(10 * MINUTE_US)
        run = await place.builder().load_workflow(made.id)
        with pytest.raises(NotWaitingForInputError):
            await run.answer({"ok": True}, step="decide")
        await run.refresh()
        assert run.state.came == "timeout"
        await asyncio.sleep(0)

    run_virtual(scenario)


@pytest.mark.parametrize("after", [10, 11])
def test_whoever_gives_input_too_late_is_told(after: int) -> None:
    """`next_step(user_input=)` says what `answer` says: it was not taken, and the run has gone on without it."""

    async def scenario(loop: VirtualLoop) -> None:
        place = Place(loop, flows, _definitions())
        made = await place.builder().create_workflow("Asked", {})
        await made.run()
        await place.clock.sleep_us(after * MINUTE_US)
        run = await place.builder().load_workflow(made.id)
        with pytest.raises(NotWaitingForInputError):
            await run.next_step(user_input={"ok": True})
        assert run.state.came == "timeout"
        assert await place.store.read_inbox(UUID(made.id)) == []

    run_virtual(scenario)


@pytest.mark.parametrize("by_input", [False, True])
def test_whoever_loses_while_his_answer_is_on_the_way_is_told(by_input: bool) -> None:
    """The time runs out between the look at the wait and the moment of sending."""

    async def scenario(loop: VirtualLoop) -> None:
        place = Place(loop, flows, _definitions())
        made = await place.builder().create_workflow("Asked", {})
        await made.run()
        await place.clock.sleep_us(9 * MINUTE_US)
        run = await place.builder().load_workflow(made.id)
        inner = place.store.append_inbox

        async def append(entry: InboxEntry, /) -> bool:
            await place.clock.sleep_us(2 * MINUTE_US)
            return await inner(replace(entry, at_us=place.clock.now_us()))

        place.store.append_inbox = append  # type: ignore[method-assign] - a slow network
        with pytest.raises(NotWaitingForInputError):
            await (run.next_step(user_input={"ok": True}) if by_input else run.answer({"ok": True}, step="decide"))
        assert run.state.came == "timeout"
        log = await place.store.read_log(UUID(made.id))
        assert [entry.kind for entry in log].count("late") == 1

    run_virtual(scenario)
