"""An instance that waits is moved to another definition where its position exists there, and to no other."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from ruvon._workflow import Workflow
from ruvon.engine import RepairError
from ruvon.models import WorkflowStatus
from ruvon.providers import WorkflowBusyError
from tests.support.migrating import BODY, HEAD, Shop, approve, changed


def refused(new: str, head: str = HEAD, old: str = BODY) -> tuple[str, ...]:
    """What stands against moving an instance of the old body to the new one; nothing is changed by a try."""

    async def scene() -> tuple[str, ...]:
        shop = Shop()
        shop.deploy(old)
        workflow = await shop.begin()
        shop.deploy(new, head)
        problems = await shop.problems(workflow)
        if problems:
            before = await shop.store.load_instance(UUID(workflow.id))
            with pytest.raises(RepairError):
                await shop.move(workflow)
            assert await shop.store.load_instance(UUID(workflow.id)) == before
        return problems

    return asyncio.run(scene())


def moved(new: str, go_on: Callable[[Workflow], Any], head: str = HEAD, old: str = BODY) -> Workflow:
    """An instance moved to the new body and driven on."""

    async def scene() -> Workflow:
        shop = Shop()
        shop.deploy(old)
        workflow = await shop.begin()
        shop.deploy(new, head)
        workflow = await shop.move(workflow, actor="ann", reason="a new step")
        await go_on(workflow)
        return workflow

    return asyncio.run(scene())


# What can be moved


def test_what_comes_later_is_run_as_the_new_definition_says() -> None:
    """The step that ran is not run again; the history says from where to where, by whom and why."""
    workflow = moved(
        changed(
            ('text="one"', 'text="two"'),
            ("    return before", '    await note(state, text="three")\n    return before'),
        ),
        approve,
    )

    assert (workflow.status, workflow.result, workflow.workflow_version) == (WorkflowStatus.COMPLETED, 10, "2")
    assert (workflow.state.text, workflow.state.total) == ("two;three;", 11)
    history = asyncio.run(_history(workflow))
    repair = next(item for item in history if item["kind"] == "repair")
    assert str(repair["note"]).startswith("migrate 1 (")
    assert str(repair["note"]).endswith(") by ann: a new step")
    assert [item["step"] for item in history if item["kind"] == "step"] == ["charge", "note", "note_2"]


async def _history(workflow: Workflow) -> Any:
    return await workflow.history()


def test_a_new_field_takes_its_default_and_a_removed_one_is_let_go() -> None:
    """Section 11.5: by fingerprint."""
    head = HEAD.replace('    text: str = ""', '    extra: int = 7\n    text: str = ""')
    workflow = moved(changed(("return before", "return before + state.extra")), approve, head)
    assert workflow.result == 17

    head = HEAD.replace("    items: list[Item] = [Item(n=1), Item(n=2)]\n", "")
    workflow = moved(changed(), approve, head)
    assert (workflow.status, hasattr(workflow.state, "items")) == (WorkflowStatus.COMPLETED, False)


def test_an_instance_whose_code_is_gone_can_be_moved() -> None:
    """Law 5 parks it; the definition that fits the code takes it over."""
    head = HEAD.replace("async def note(state: Order, text: str)", "async def remark(state: Order, text: str)")

    workflow = moved(changed(("await note(", "await remark(")), approve, head)

    assert workflow.state.text == "one;"


NESTED = """
@workflow("Shop", version="1")
async def shop(state: Order) -> int:
    done = 0
    for item in state.items:
        try:
            async def left() -> int:
                await charge(state, amount=item.n)
                await human("approve", form=Answer)
                return 1

            async def right() -> int:
                await receive(Paid)
                return 2

            one, two = await gather(left(), right())
            done += one + two
        finally:
            await note(state, text="f")
    return done
"""


def test_a_position_in_the_depth_is_moved() -> None:
    """A loop, a TRY, branches; the rest of the turn is the new definition's."""

    async def go_on(workflow: Workflow) -> None:
        for _ in range(2):
            await workflow.signal("Paid", {"amount": 1})
            await workflow.answer({"ok": True})

    workflow = moved(changed(('text="f"', 'text="g"'), ("return 2", "return 20"), text=NESTED), go_on, old=NESTED)

    assert (workflow.result, workflow.state.text) == (42, "g;g;")


def test_what_lies_in_the_mailbox_is_received_after_the_move() -> None:
    """A signal that came early is not lost."""
    body = BODY.replace('    await note(state, text="one")', "    paid = await receive(Paid)")

    async def scene() -> Workflow:
        shop = Shop()
        shop.deploy(body)
        workflow = await shop.begin()
        await workflow.signal("Paid", {"amount": 3})
        shop.deploy(changed(("return before", "return before + paid.amount"), text=body))
        workflow = await shop.move(workflow)
        await approve(workflow)
        return workflow

    assert asyncio.run(scene()).result == 13


def test_a_moved_workflow_undoes_what_the_old_definition_did() -> None:
    """Its saga entries are kept."""

    async def cancel(workflow: Workflow) -> None:
        await workflow.cancel("enough")

    workflow = moved(changed(), cancel)

    assert (workflow.status, workflow.state.total) == (WorkflowStatus.CANCELLED, 1)


def test_what_ran_before_the_move_cannot_be_rewound_to() -> None:
    """Its positions belong to another definition."""

    async def go_on(workflow: Workflow) -> None:
        await approve(workflow)
        with pytest.raises(RepairError, match="before it was migrated"):
            await workflow.rewind("charge")
        await workflow.rewind("note")
        await workflow.run()

    assert moved(changed(), go_on).status is WorkflowStatus.COMPLETED


# What cannot


LOOPED = """    for _ in range(1):
        answer = await human("approve", form=Answer)"""


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (
            [('await human("approve", form=Answer)', "await receive(Paid)")],
            "it stands at `human`, which is not there any more",
        ),
        (
            [('    answer = await human("approve", form=Answer)', LOOPED)],
            "it stands at `human`, which is in `for:body` now",
        ),
        (
            [("    before =", "    first = state.total\n    before ="), ("return before", "return first")],
            "reads the variable `first`, which has no value here",
        ),
    ],
)
def test_a_position_that_does_not_exist_there(pairs: list[tuple[str, str]], says: str) -> None:
    """Each reason names what is missing."""
    found = refused(changed(*pairs))
    assert any(says in item for item in found), found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    total: int = 1", "    total: str = ''", "the state's field `total` was `int`, it is `str` now"),
        ('    text: str = ""', '    text: str = ""\n    extra: int', "requires the field `extra` now"),
        ("    n: int = 0", "    n: str = ''", "Item.n` was `int`, it is `str` now"),
        ("    n: int = 0", "    n: int = 0\n    m: int", "Item` requires the field `m` now"),
    ],
)
def test_values_that_do_not_fit(old: str, new: str, says: str) -> None:
    """A changed type or a new field without a default."""
    head = HEAD.replace(old, new).replace("state.total += amount", "...").replace("state.total -= amount", "...")
    head = head.replace("[Item(n=1), Item(n=2)]", "[]")

    assert any(says in item for item in refused(changed(), head)), refused(changed(), head)


def test_a_form_that_nobody_has_filled_in_may_change() -> None:
    """Only classes of stored values count."""
    assert refused(changed(), HEAD.replace("    ok: bool", "    ok: bool\n    why: str")) == ()


def test_a_compensation_that_is_gone() -> None:
    """What has completed could not be undone any more."""
    head = HEAD.replace("@compensate(charge)\n", "")

    assert any("`charge` has no compensation any more" in item for item in refused(changed(), head))


def test_a_variable_of_another_type() -> None:
    """Its stored value is of the old one."""
    head = HEAD.replace(
        "amount: int) -> int:\n    state.total += amount\n    return amount",
        "amount: int) -> str:\n    return str(amount)",
    ).replace("result: int, amount", "result: str, amount")
    new = changed(("-> int:\n    before", "-> str:\n    before"))

    assert any("the variable `before` was `int`, it is `str` now" in item for item in refused(new, head))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("right() -> int", "other() -> int", "the branches of `gather` are others now"),
        ("for item in state.items", "for item in list(state.items)", ""),
        ("receive(Paid)", "receive(Answer)", "it waits for"),
    ],
)
def test_positions_in_the_depth_that_do_not_fit(old: str, new: str, says: str) -> None:
    """Branches, loops and what is received."""
    body = changed((old, new), *((("left(), right()", "left(), other()"),) if "other" in new else ()), text=NESTED)

    found = refused(body, old=NESTED)
    assert any(says in item for item in found) if says else found == (), found


def test_only_a_live_workflow_that_waits_is_moved() -> None:
    """Not one that has ended, or can run, or has this definition already."""

    async def scene() -> list[tuple[str, ...]]:
        shop = Shop()
        shop.deploy(BODY)
        waits, ended = await shop.begin(), await shop.begin()
        fresh = await shop.builder.create_workflow("Shop", {})
        same = await shop.problems(waits)
        await ended.cancel("x")
        shop.deploy(changed())
        return [same, await shop.problems(ended), await shop.problems(fresh)]

    same, ended, fresh = asyncio.run(scene())
    assert same == ("it has this definition already",)
    assert "it is CANCELLED" in ended[0]
    assert "it is ACTIVE" in fresh[0]


def test_an_instance_that_is_driven_is_left_alone() -> None:
    """Somebody else holds it."""

    async def scene() -> None:
        shop = Shop()
        shop.deploy(BODY)
        workflow = await shop.begin()
        shop.deploy(changed())
        hold = await shop.store.hold(UUID(workflow.id))
        with pytest.raises(WorkflowBusyError):
            await shop.move(workflow)
        await hold.release()

    asyncio.run(scene())
