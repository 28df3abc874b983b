"""An error that a handler has caught is given to a step: SEMANTICS 8.5, by both roads."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import compensate, gather, sleep, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine._values import Types
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import ImportRoots
from ruvon_dsl import compile_source
from tests.differential.real import by_both
from tests.support.engine_world import JumpingClock

SEEN: list[str] = []


class Detail(BaseModel):
    why: str


class Declined(Exception):
    """Its `__init__` takes what nobody records, and may not be called again."""

    detail: Detail

    def __init__(self, code: int, *, detail: Detail, handle: object = None) -> None:
        SEEN.append("init")
        super().__init__(f"declined {code}")
        self.code = code
        self.detail = detail
        self.handle = handle


class Doc(BaseModel):
    n: int = 0
    notes: list[str] = []


@step
async def refuse(code: int) -> None:
    raise Declined(code, detail=Detail(why="limit"), handle=object()) from KeyError("card")


@step
async def report(state: Doc, error: Exception, prefix: str = "") -> None:
    """Reads everything of an error, and changes it, which nobody sees."""
    state.notes.append(f"{prefix}{type(error).__name__} {error} {error.args} {error.__cause__!r}")
    state.notes.append(f"{getattr(error, 'code', None)} {getattr(error, 'detail', None)} {hasattr(error, 'handle')}")
    error.args = ("changed",)
    error.code = 0  # type: ignore[attr-defined]


@step
async def maybe(error: Declined | None) -> str:
    return "none" if error is None else f"code {error.code}"


@step
async def rethrow(error: Declined) -> None:
    error.code += 1
    error.args = (f"again {error.code}",)
    raise error


@step
async def book(error: Exception) -> str:
    return f"booked for {error}"


@compensate(book)
async def unbook(result: str, error: Exception) -> None:
    SEEN.append(f"unbook {result} {type(error).__name__} {error} {getattr(error, 'code', None)}")


SOURCE = """
from ruvon import step, workflow
from tests.differential.test_errors_given import Declined, Doc, maybe, refuse


@step
async def number(n: int) -> None: ...


@step
async def listed(n: list[Declined]) -> None: ...


@workflow("Given")
async def given(state: Doc) -> None:
    try:
        await refuse(1)
    except {caught} as err:
        await {call}
"""


@workflow("ErrorGiven")
async def error_given(state: Doc) -> str:
    try:
        await refuse(51)
    except Declined as err:
        await report(state, err)
        await sleep_a_day()
        await report(state, prefix="again: ", error=err)
        return await maybe(err)
    return await maybe(None)


@step
async def sleep_a_day() -> None:
    """Something between two uses."""


@workflow("ErrorGivenInBranches")
async def error_given_in_branches(state: Doc) -> list[str]:
    try:
        await refuse(51)
    except Declined as err:

        async def twice() -> str:
            await report(state, err, "branch: ")  # noqa: F821 - the name of the handler around
            return str(err)  # noqa: F821 - the same

        a, b = await gather(twice(), book(err))
        return [a, b]
    return []


@workflow("ErrorRaisedAgain")
async def error_raised_again(state: Doc) -> str:
    try:
        try:
            await refuse(51)
        except Declined as err:
            await rethrow(err)
    except Declined as err:
        return f"{err} {err.code}"
    return "nothing"


@workflow("ErrorUndone", saga=True)
async def error_undone(state: Doc) -> None:
    try:
        await refuse(51)
    except Declined as err:
        await book(err)
    raise ValueError("the end")


@workflow("ErrorMade")
async def error_made(state: Doc) -> None:
    await report(state, ValueError("made here", state.n))


@workflow("ErrorWaits")
async def error_waits(state: Doc) -> str:
    try:
        await refuse(51)
    except Exception as err:  # noqa: BLE001 - a class that the definition does not name
        await sleep(timedelta(days=2))
        await report(state, err)
        return await book(err)
    return "nothing"


def test_a_step_is_given_the_error() -> None:
    """Class, text, arguments, storable attributes and cause; `__init__` ran once on each road, in the step."""
    SEEN.clear()
    ended = by_both(error_given, Doc())
    assert ended.result == "code 51"
    assert ended.state.notes[0] == "Declined declined 51 ('declined 51',) KeyError('card')"
    assert ended.state.notes[1] == "51 why='limit' False"
    assert ended.state.notes[2] == "again: " + ended.state.notes[0]
    assert SEEN == ["init", "init"]


def test_branches_are_given_the_error() -> None:
    """A nested branch reads it like any other name."""
    ended = by_both(error_given_in_branches, Doc())
    assert ended.result == ["declined 51", "booked for declined 51"]
    assert len(ended.state.notes) == 2


def test_what_a_step_raises_again_is_what_it_made_of_it() -> None:
    """The step's copy is an error of its own."""
    assert by_both(error_raised_again, Doc()).result == "again 52 52"


def test_a_compensation_is_given_the_recorded_error() -> None:
    """Arguments are recorded by name; an error as its record."""
    SEEN.clear()
    by_both(error_undone, Doc())
    undone = [item for item in SEEN if item != "init"]
    assert undone == ["unbook booked for declined 51 Declined declined 51 51"] * 2


def test_an_error_made_in_the_body_is_given() -> None:
    """It need not have been caught."""
    assert by_both(error_made, Doc(n=3)).state.notes[0] == "ValueError ('made here', 3) ('made here', 3) None"


async def _in_two_processes(path: Path, between: Callable[[], None]) -> tuple[list[str], Any]:
    """Run `ErrorWaits` to its timer, and in a new builder, on the same file, to its end."""
    clock = JumpingClock()
    for number in range(2):
        builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(path), clock=clock)
        await builder.initialize()
        builder.register(error_waits)
        if number == 0:
            run = await builder.create_workflow("ErrorWaits", Doc())
            await run.next_step()
            assert run.status == "PAUSED"
            between()
        else:
            run = await builder.load_workflow(run.id)
            await run.run()
        await builder.close()
    return run.state.notes, run.result


def test_the_error_survives_a_reload(tmp_path: Path) -> None:
    """The name is still bound, to the same error, in the next process."""
    notes, result = asyncio.run(_in_two_processes(tmp_path / "given.db", lambda: None))
    assert notes == ["Declined declined 51 ('declined 51',) KeyError('card')", "51 None False"]
    assert result == "booked for declined 51"


def test_a_class_that_is_gone_is_stood_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the step is given a `RecordedError` with the text and the name of the class."""
    load = Types.find_class

    def gone(self: Types, path: str) -> type | None:
        return None if path.endswith(":Declined") else load(self, path)

    notes, _ = asyncio.run(
        _in_two_processes(tmp_path / "given.db", lambda: monkeypatch.setattr(Types, "find_class", gone))
    )
    assert notes[0] == "RecordedError declined 51 ('declined 51',) KeyError('card')"


@pytest.mark.parametrize(("caught", "call"), [("KeyError", "maybe(err)"), ("Declined", "number(err)")])
def test_the_type_of_the_error_is_checked(caught: str, call: str) -> None:
    """An error that the parameter does not take is a finding."""
    found = compile_source(
        SOURCE.format(caught=caught, call=call), roots=ImportRoots({"tests"}), module="given_wrongly"
    )
    assert [item.code for item in found.diagnostics] == ["RV0367"]


def test_an_error_inside_a_container_is_no_value() -> None:
    """Only an argument itself may be one."""
    source = SOURCE.format(caught="Declined", call="listed([err])")
    found = compile_source(source, roots=ImportRoots({"tests"}), module="given_in_a_list")
    assert [item.code for item in found.diagnostics] == ["RV0514"]
