"""Rollbacks that do not work out, by both roads: what the caller meets, and what was undone all the same."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import Elapsed, Retry, StepContext, compensate, first_of, gather, receive, saga, sleep, step, workflow
from ruvon.authoring._local import run_local
from ruvon.builder import WorkflowBuilder
from ruvon.models import CompensationFailedError
from tests.differential.real import by_both

UNDONE: list[str] = []
NOT_UNDONE = "the rollback could not undo `hold`; see the errors in the workflow's history and undo by hand"


class Doc(BaseModel):
    broken: list[str] = []
    notes: list[str] = []


class Refused(Exception):
    """The error of the body."""


@step
async def hold(what: str, broken: list[str]) -> str:
    return what


@compensate(hold, retry=Retry(max_attempts=2, delay=timedelta(seconds=3)))
async def release(result: str, broken: list[str]) -> None:
    UNDONE.append(result)
    if result in broken:
        raise OSError(f"{result} is stuck")


@step
async def take(state: Doc, what: str) -> None:
    state.notes.append(what)


@compensate(take)
async def give_back(state: Doc, result: None, what: str) -> None:
    state.notes.append(f"no {what}")
    UNDONE.append(what)
    if what in state.broken:
        raise OSError(what)


class Freed(BaseModel):
    what: str


@step
async def rent(what: str) -> str:
    return what


@compensate(rent)
async def free(context: StepContext, result: str, what: str) -> None:
    context.publish("freed", Freed(what=result))
    if what == "stuck":
        raise OSError(what)


@step
async def refuse() -> None:
    raise Refused("no")


@workflow("UndoWhole", saga=True)
async def undo_whole(state: Doc) -> None:
    await hold("a", state.broken)
    await take(state, "b")
    await hold("c", state.broken)
    await refuse()


@workflow("UndoPublishes", saga=True)
async def undo_publishes(state: Doc) -> None:
    await rent("car")
    await rent("stuck")
    await refuse()


@workflow("UndoScope")
async def undo_scope(state: Doc) -> str:
    try:
        async with saga():
            await hold("a", state.broken)
            await take(state, "b")
            await refuse()
    except Refused as err:
        state.notes.append(str(err))
    if "then" in state.broken:
        await refuse()
    return "went on"


@workflow("UndoChild", saga=True)
async def undo_child(state: Doc) -> int:
    await hold("child", state.broken)
    if "child fails" in state.broken:
        await refuse()
    return 1


@workflow("UndoParent")
async def undo_parent(state: Doc) -> str:
    try:
        await undo_child(Doc(broken=state.broken))
    except CompensationFailedError as err:
        return str(err)
    except Refused:
        return "refused"
    return "worked"


@workflow("UndoFamily", saga=True)
async def undo_family(state: Doc) -> None:
    await hold("own", state.broken)
    await undo_child(Doc(broken=state.broken))
    await refuse()


@workflow("UndoLoser")
async def undo_loser(state: Doc) -> str:
    async def slow() -> str:
        async with saga():
            await hold("held", state.broken)
            await sleep(timedelta(days=1))
        return "slow"

    match await first_of(sleep(timedelta(hours=1)), slow()):
        case str() as text:
            return text
        case Elapsed():
            return "in time"


@workflow("UndoCancelled")
async def undo_cancelled(state: Doc) -> None:
    await hold("outside", state.broken)
    async with saga():
        await hold("inside", state.broken)
        await receive(Freed)


@workflow("UndoBranches", saga=True)
async def undo_branches(state: Doc) -> None:
    async def left() -> None:
        await hold("left", state.broken)
        await refuse()

    async def right() -> None:
        await hold("right", state.broken)
        try:
            await sleep(timedelta(days=1))
        finally:
            await take(state, "cleaned")

    await gather(left(), right())


def undone() -> list[str]:
    """What each road undid, which must be the same."""
    half = len(UNDONE) // 2
    assert UNDONE[:half] == UNDONE[half:]
    found = UNDONE[:half]
    UNDONE.clear()
    return found


@pytest.fixture(autouse=True)
def _fresh() -> None:
    UNDONE.clear()


@pytest.mark.parametrize(
    ("broken", "named", "order"),
    [
        ([], None, ["c", "b", "a"]),
        (["c"], "`hold`", ["c", "c", "b", "a"]),
        (["b", "a"], "`take`, `hold`", ["c", "b", "a", "a"]),
    ],
    ids=["works", "one", "two"],
)
def test_the_others_are_undone_all_the_same(broken: list[str], named: str | None, order: list[str]) -> None:
    """The error names what could not be undone, and its cause is the error of the body; each is retried first."""
    ended = by_both(undo_whole, Doc(broken=broken))
    assert undone() == order
    if named is None:
        assert (ended.status, type(ended.error)) == ("FAILED_ROLLED_BACK", Refused)
    else:
        assert (ended.status, type(ended.error)) == ("FAILED", CompensationFailedError)
        assert named in str(ended.error)
        assert isinstance(ended.error.__cause__, Refused)
    assert ended.state.notes == (["b"] if "b" in broken else ["b", "no b"])


def test_a_scope_that_could_not_be_undone_is_told_when_the_run_fails() -> None:
    """The handler sees the error of the body; an instance that ends well ends well."""
    assert by_both(undo_scope, Doc(broken=["b"])).result == "went on"
    ended = by_both(undo_scope, Doc(broken=["b", "then"]))
    assert isinstance(ended.error, CompensationFailedError)
    assert "`take`" in str(ended.error)


@pytest.mark.parametrize(
    ("broken", "result"),
    [
        (["child fails"], "refused"),
        (["child fails", "child"], NOT_UNDONE),
    ],
    ids=["undone", "not undone"],
)  # fmt: skip
def test_a_parent_meets_the_error_of_a_childs_rollback(broken: list[str], result: str) -> None:
    """A child ends with `CompensationFailedError`, and a child's error is the parent's."""
    assert by_both(undo_parent, Doc(broken=broken), undo_child).result == result


def test_a_child_that_could_not_be_undone_is_named_by_its_type() -> None:
    """A completed child is one entry of its parent."""
    ended = by_both(undo_family, Doc(broken=["child"]), undo_child)
    assert undone() == ["child", "child", "own"]
    assert isinstance(ended.error, CompensationFailedError)
    assert "`UndoChild`" in str(ended.error)


def test_branches_that_are_stopped_are_undone_too() -> None:
    """What completed in them, what their `finally` did included."""
    ended = by_both(undo_branches, Doc(broken=["right"]))
    assert "could not undo `hold`" in str(ended.error)
    found: Any = undone()
    assert found == ["cleaned", "right", "right", "left"]


def test_what_a_compensation_publishes_is_in_the_outbox() -> None:
    """In the commit of the compensation; one that fails publishes nothing."""

    async def scenario() -> list[bytes]:
        builder = WorkflowBuilder(plugins=False)
        builder.register(undo_publishes)
        run = await builder.create_workflow("UndoPublishes", Doc())
        await run.run()
        return [record.payload for record in builder.persistence.outbox]  # type: ignore[attr-defined]

    assert asyncio.run(scenario()) == [b'{"what":"car"}']
    local = asyncio.run(run_local(undo_publishes, Doc()))
    assert [item.event for item in local.published] == [Freed(what="car")]


def test_a_scope_that_loses_a_race_is_undone() -> None:
    """A cancelled block is left like one that failed, as in Python."""
    assert by_both(undo_loser, Doc()).result == "in time"
    assert undone() == ["held"]


@pytest.mark.parametrize(("compensates", "expected"), [(True, ["inside"]), (False, [])], ids=["undone", "kept"])
def test_a_cancelled_instance_undoes_its_open_scope(compensates: bool, expected: list[str]) -> None:
    """Unless whoever cancels says that nothing is to be undone; what lies outside of it stays without saga."""

    async def scenario() -> str:
        builder = WorkflowBuilder(plugins=False)
        builder.register(undo_cancelled)
        run = await builder.create_workflow("UndoCancelled", Doc())
        await run.run()
        await run.cancel("enough", compensate=compensates)
        return str(run.status.value)

    assert asyncio.run(scenario()) == "CANCELLED"
    assert expected == UNDONE
