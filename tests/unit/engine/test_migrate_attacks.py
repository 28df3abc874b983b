"""Migrations that are made hard: other drivers, positions in the depth, other values, and the way back; on both stores."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon._workflow import Workflow
from ruvon.engine import RepairError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import PersistenceProvider, WorkflowBusyError
from tests.support.migrating import BODY, HEAD, Shop, approve, changed

Stores = Callable[[], PersistenceProvider]
Play = Callable[[Callable[[Shop], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    """Makes a store; a second one of SQLite is over the same file."""
    if request.param == "memory":
        store = MemoryPersistenceProvider()
        return lambda: store
    return lambda: SQLitePersistenceProvider(str(tmp_path / "shop.db"), durability="OFF")


@pytest.fixture
def play(stores: Stores) -> Play:
    """Run a scene with a shop over an open store."""

    def run(scene: Callable[[Shop], Coroutine[Any, Any, Any]]) -> Any:
        async def whole() -> Any:
            store = stores()
            await store.initialize()
            try:
                return await scene(Shop(store))
            finally:
                await store.close()

        return asyncio.run(whole())

    return run


async def waiting(shop: Shop, body: str = BODY, head: str = HEAD, **state: Any) -> Workflow:
    """An instance of the old body that waits."""
    shop.deploy(body, head)
    workflow = await shop.builder.create_workflow("Shop", state)
    await workflow.run()
    assert workflow.status.is_waiting, workflow.error
    return workflow


async def asleep(shop: Shop, body: str) -> Workflow:
    """An instance of the body that sleeps; nobody sleeps with it."""
    shop.deploy(body)
    workflow = await shop.builder.create_workflow("Shop", {})
    while not workflow.status.is_waiting:
        await workflow.next_step()
    return workflow


# The life of a moved instance


def test_a_moved_instance_is_loaded_again_and_ends(play: Play, stores: Stores) -> None:
    """A process that knows nothing of the move finds the new definition by its digest."""

    async def scene(shop: Shop) -> tuple[Any, ...]:
        workflow = await waiting(shop)
        shop.deploy(changed(("return before", "return before + 1")))
        await shop.move(workflow)
        other = Shop(shop.store if isinstance(shop.store, MemoryPersistenceProvider) else stores())
        await other.store.initialize()
        other.deploy(changed(("return before", "return before + 1")))
        again = await other.builder.load_workflow(workflow.id)
        await approve(again)
        if other.store is not shop.store:
            await other.store.close()
        return again.status, again.result, again.workflow_version

    assert play(scene) == (WorkflowStatus.COMPLETED, 11, "2")


def test_an_instance_is_moved_there_and_back(play: Play) -> None:
    """A field that the version between lacks has its value again."""
    head = HEAD.replace('    text: str = ""\n', "")
    head = head.replace('state.text = f"{state.text}{text};"', "...")

    async def scene(shop: Shop) -> tuple[Any, ...]:
        workflow = await waiting(shop, text="kept;")
        shop.deploy(changed(), head)
        workflow = await shop.move(workflow)
        assert not hasattr(workflow.state, "text")
        shop.deploy(BODY)
        workflow = await shop.move(workflow)
        await approve(workflow)
        return workflow.status, workflow.workflow_version, workflow.state.text

    assert play(scene) == (WorkflowStatus.COMPLETED, "1", "kept;one;")


def test_every_definition_that_an_instance_had_is_counted_by_the_newest(play: Play) -> None:
    """The store counts it with the definition that it has now, and keeps the old one."""

    async def scene(shop: Shop) -> list[tuple[str, int, int]]:
        workflow = await waiting(shop)
        shop.deploy(changed())
        await shop.move(workflow)
        assert len(await shop.store.list_definitions("Shop")) == 2
        found = await shop.store.count_by_definition("Shop")
        return [(version, live, ended) for _, _, version, live, ended in found]

    assert play(scene) == [("2", 1, 0)]


def test_a_move_is_refused_while_somebody_drives(play: Play) -> None:
    """A step of it runs; after that the move is one transition as any other."""
    body = BODY.replace('    answer = await human("approve", form=Answer)', "    paid = await receive(Paid)")
    body = body.replace('    await note(state, text="one")\n', '    await slow(state)\n    await human("late")\n')
    slow = """
import asyncio
STARTED, GO = asyncio.Event(), asyncio.Event()

@step
async def slow(state: Order) -> None:
    STARTED.set()
    await GO.wait()
"""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, body, HEAD + slow)
        module = sys.modules["migrating_shop"]
        sending = asyncio.create_task(workflow.signal("Paid", {"amount": 3}))
        await module.STARTED.wait()
        before = shop.builder
        shop.deploy(changed(("return before", "return 5"), text=body), HEAD + slow)
        with pytest.raises(WorkflowBusyError):
            await shop.move(workflow)
        module.GO.set()
        await sending
        assert before is not shop.builder
        workflow = await shop.move(workflow)
        await workflow.answer({})
        return workflow.result

    assert play(scene) == 5


def test_an_answer_through_an_old_handle_reaches_the_moved_instance(play: Play) -> None:
    """Handles read the instance again before they send."""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop)
        old = await shop.builder.load_workflow(workflow.id)
        new = changed(("return before", "return before + 2"))
        shop.deploy(new)
        handle = await shop.builder.load_workflow(workflow.id)
        await shop.move(workflow)
        await handle.answer({"ok": True})
        await old.refresh()
        return old.result, handle.result

    assert play(scene) == (12, 12)


# Positions


def test_a_timer_keeps_its_moment(play: Play) -> None:
    """The new definition would wait longer; what waits has begun."""
    body = BODY.replace('    answer = await human("approve", form=Answer)', "    await sleep(timedelta(hours=1))")

    async def scene(shop: Shop) -> tuple[int | None, int | None]:
        workflow = await asleep(shop, body)
        before = (await shop.store.load_instance(UUID(workflow.id))).due_us
        shop.deploy(changed(("hours=1", "hours=9"), text=body))
        await shop.move(workflow)
        return before, (await shop.store.load_instance(UUID(workflow.id))).due_us

    before, after = play(scene)
    assert before == after is not None


def test_a_timeout_that_was_running_rings_after_the_move(play: Play) -> None:
    """The due moment of a human step is kept; what then happens is said by the new definition."""
    body = BODY.replace("form=Answer)", "form=Answer, timeout=timedelta(hours=1), default=None)")

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, body)
        shop.deploy(changed(("hours=1", "hours=9"), ("return before", "return 7"), text=body))
        workflow = await shop.move(workflow)
        shop.clock.advance(7_200_000_000)
        await workflow.run()
        return workflow.result

    assert play(scene) == 7


CHILD = """
@workflow("Inner", version="1")
async def inner(state: Order) -> int:
    paid = await receive(Paid)
    return paid.amount

@workflow("Shop", version="1")
async def shop(state: Order) -> int:
    got = await inner(Order())
    return got
"""


def test_an_instance_that_waits_for_a_child_is_moved(play: Play) -> None:
    """The child goes on with its own definition, and its end finds the parent."""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, CHILD)
        child = next(row for row in await shop.builder.list_workflows() if row["workflow_type"] == "Inner")
        new = CHILD.replace("return got", "return got + 100").replace('"Shop", version="1"', '"Shop", version="2"')
        shop.deploy(new)
        await shop.move(workflow)
        await (await shop.builder.load_workflow(child["workflow_id"])).signal("Paid", {"amount": 4})
        again = await shop.builder.load_workflow(workflow.id)
        return again.result, again.workflow_version

    assert play(scene) == (104, "2")


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("    got = await other(Order())", "it stands at `Inner`, which is not there any more"),
        (
            "    spawned = await inner.spawn(Order())\n    got = 1",
            "`Inner` waited for the end of what it starts, it does not now",
        ),
    ],
    ids=["another-child", "not-awaited"],
)
def test_an_instance_whose_child_is_not_awaited_any_more(play: Play, new: str, says: str) -> None:
    """Its result would have nowhere to go."""
    other = (
        CHILD.split('@workflow("Shop"', maxsplit=1)[0].replace('"Inner"', '"Other"').replace("def inner", "def other")
    )

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop, CHILD)
        text = CHILD.replace("    got = await inner(Order())", new).replace(
            '"Shop", version="1"', '"Shop", version="2"'
        )
        shop.deploy(other + text)
        return await shop.problems(workflow)

    assert any(says in item for item in play(scene)), play(scene)


LOOP = """
@workflow("Shop", version="1")
async def shop(state: Order) -> int:
    done = 0
    for item in state.items:
        await human("approve", form=Answer)
        done += item.n
    return done
"""


def test_a_loop_goes_on_in_its_turn(play: Play) -> None:
    """The items are those that it began with; the rest of the turn is new."""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, LOOP)
        await approve(workflow)
        shop.deploy(changed(("done += item.n", "done += item.n * 10"), text=LOOP))
        workflow = await shop.move(workflow)
        await approve(workflow)
        return workflow.result

    assert play(scene) == 21


def test_a_loop_variable_of_another_name_has_no_value_in_this_turn(play: Play) -> None:
    """The next turn would set it; this one would read nothing."""

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop, LOOP)
        shop.deploy(changed(("for item in", "for thing in"), ("+= item.n", "+= thing.n"), text=LOOP))
        return await shop.problems(workflow)

    assert any("reads the variable `thing`, which has no value here" in item for item in play(scene))


def test_what_the_loop_runs_over_is_not_read_again(play: Play) -> None:
    """A new variable that only the head of the loop reads is not missed."""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, LOOP)
        shop.deploy(
            changed(
                ("    done = 0\n", "    done = 0\n    things = state.items\n"),
                ("in state.items", "in things"),
                text=LOOP,
            )
        )
        assert await shop.problems(workflow) == ()
        workflow = await shop.move(workflow)
        await approve(workflow)
        await approve(workflow)
        return workflow.result

    assert play(scene) == 3


@pytest.mark.parametrize(
    ("tail", "missed"),
    [
        ("    if before > 3:\n        extra = 1\n    else:\n        extra = 2\n    return extra", False),
        ("    await note(state, text=f'{first}')\n    first = 2\n    return first", True),
    ],
    ids=["set-on-every-way", "read-first"],
)
def test_a_variable_must_be_set_before_it_is_read(play: Play, tail: str, missed: bool) -> None:
    """Being set somewhere is not enough."""
    head = "    before =" if not missed else "    first = 1\n    before ="

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop)
        shop.deploy(changed(("    return before", tail), ("    before =", head)))
        return await shop.problems(workflow)

    assert any("`first`" in item for item in play(scene)) is missed


BRANCHES = """
@workflow("Shop", version="1")
async def shop(state: Order) -> int:
    async def left() -> int:
        await human("approve", form=Answer)
        return 1

    async def right() -> int:
        await note(state, text="r")
        return 2

    one, two = await gather(left(), right())
    return one + two
"""


def test_a_branch_that_has_ended_does_not_run_again(play: Play) -> None:
    """Its result and what it wrote are kept; the other branch goes on as the new definition says."""

    async def scene(shop: Shop) -> Any:
        workflow = await waiting(shop, BRANCHES)
        shop.deploy(changed(("return 1", "return 10"), ('text="r"', 'text="new"'), text=BRANCHES))
        workflow = await shop.move(workflow)
        await approve(workflow)
        return workflow.result, workflow.state.text

    assert play(scene) == (12, "r;")


def test_the_results_of_branches_that_have_no_value_are_not_missed(play: Play) -> None:
    """What the join sets counts as set behind it."""

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop, BRANCHES)
        shop.deploy(changed(("one, two =", "first, two ="), ("return one", "return first"), text=BRANCHES))
        return await shop.problems(workflow)

    assert play(scene) == ()


# What has run


def test_what_has_run_does_not_run_again_behind_the_wait(play: Play) -> None:
    """Law 4: moved behind the position, a step that is done would be done twice."""
    late = (
        ("    before = await charge(state, amount=10)\n", ""),
        ('    await note(state, text="one")', "    before = await charge(state, amount=10)"),
    )

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop)
        shop.deploy(changed(*late))
        return await shop.problems(workflow)

    assert play(scene) == ("`charge` has run already, and would run again behind where it stands",)


def test_a_compensation_that_wants_what_was_not_recorded(play: Play) -> None:
    """The arguments of a step are kept as they were."""
    head = HEAD.replace("result: int, amount: int)", "result: int, currency: str)")
    head = head.replace(
        "async def charge(state: Order, amount: int)", "async def charge(state: Order, amount: int, currency: str)"
    )
    head = head.replace("state.total -= amount", "...")

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop)
        shop.deploy(changed(("amount=10", 'amount=10, currency="EUR"')), head)
        return await shop.problems(workflow)

    assert any("wants `result`, `currency` now, which was not recorded" in item for item in play(scene)), play(scene)


def test_the_saga_mode_is_that_of_the_new_definition(play: Play) -> None:
    """The new one undoes what the old one did not."""
    body = BODY.replace(", saga=True", "")
    fails = ("    return before", "    raise ValueError('no')")

    async def scene(shop: Shop) -> tuple[Any, ...]:
        workflow = await waiting(shop, body)
        shop.deploy(changed(fails))
        workflow = await shop.move(workflow)
        await approve(workflow)
        return workflow.status, workflow.state.total

    assert play(scene) == (WorkflowStatus.FAILED_ROLLED_BACK, 1)


def test_a_saga_mode_that_was_switched_on_by_hand_stays(play: Play) -> None:
    """It was never the definition's."""
    body = BODY.replace(", saga=True", "")

    async def scene(shop: Shop) -> bool:
        workflow = await waiting(shop, body)
        await workflow.enable_saga_mode()
        shop.deploy(changed(text=body))
        return (await shop.move(workflow)).saga_enabled

    assert play(scene) is True


# What lies in the inbox


def test_a_message_that_lies_in_the_mailbox_must_fit(play: Play) -> None:
    """It was encoded by the class as it was."""
    body = BODY.replace('    await note(state, text="one")', "    paid = await receive(Paid)")
    head = HEAD.replace("    amount: int\n\n@step", "    amount: int\n    currency: str\n\n@step")

    async def scene(shop: Shop) -> tuple[str, ...]:
        workflow = await waiting(shop, body)
        shop.deploy(changed(text=body), head)
        early = await shop.problems(workflow)
        assert early == ()
        shop.deploy(body)
        await (await shop.builder.load_workflow(workflow.id)).signal("Paid", {"amount": 3})
        shop.deploy(changed(text=body), head)
        return await shop.problems(workflow)

    assert any("Paid` requires the field `currency` now" in item for item in play(scene))


# Values


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    total: int = 1", "    total: int = 1\n    extra: int", "requires the field `extra` now"),
        ("    total: int = 1", "    total: float = 1", "`total` was `int`, it is `float` now"),
    ],
    ids=["new-required", "other-type"],
)
def test_a_state_that_does_not_fit_changes_nothing(play: Play, old: str, new: str, says: str) -> None:
    """The refusal names the field; the row is as it was."""

    async def scene(shop: Shop) -> None:
        workflow = await waiting(shop)
        shop.deploy(changed(), HEAD.replace(old, new))
        before = await shop.store.load_instance(UUID(workflow.id))
        with pytest.raises(RepairError, match=says):
            await shop.move(workflow)
        assert await shop.store.load_instance(UUID(workflow.id)) == before

    play(scene)
