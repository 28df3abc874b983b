"""Changes inside of large values are stored as splices; what a reload makes of them is the value, byte for byte."""

import asyncio
import gc
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from ruvon import receive, step, workflow
from ruvon.engine import Run
from ruvon.engine._history import history_entry
from ruvon.engine._scope import Scope, StoredScopes
from ruvon.engine._splice import LARGE, splice_of, spliced
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import PersistenceError
from tests.support.cases import CASES
from tests.support.engine_world import make_builder

TEXTS = st.text(alphabet=st.sampled_from('ab"\\é€😀\n0'), max_size=12)
LISTS = st.lists(TEXTS, min_size=1, max_size=30)


class Book(BaseModel):
    pages: dict[str, str] = {}
    lines: list[str] = []
    turn: int = 0


class Press(BaseModel):
    by: int = 1


@step
def turn_page(state: Book) -> None:
    state.pages[f"p{state.turn * 3 % 20}"] = "é" * 300 + str(state.turn)
    state.lines.append("x" * 50 + str(state.turn))
    state.turn += 1


@workflow("Reading", version="1")
async def reading(state: Book) -> int:
    kept: list[str] = []
    for _ in range(30):
        await turn_page(state)
        kept = [*kept, "y" * 200]
    await receive(Press)
    return len(kept)


def large(items: list[str]) -> bytes:
    """A text long enough to be compared."""
    return orjson.dumps([*items, "-" * 2 * LARGE])


@settings(max_examples=CASES)
@given(LISTS, LISTS, LISTS, st.booleans())
def test_a_splice_makes_the_new_value_of_the_old_one(
    before: list[str], after: list[str], rest: list[str], behind: bool
) -> None:
    """Characters of several bytes, changes in front of and behind a long text, repeated parts."""
    old, new = (
        orjson.dumps([*rest, "-" * 2 * LARGE, *items] if behind else [*items, "-" * 2 * LARGE, *rest])
        for items in (before, after)
    )
    splice = splice_of(old, new)
    assert splice is not None
    assert spliced(old, cast("list[Any]", orjson.loads(orjson.dumps(splice)))) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"[1]", large(["a"])), (large(["a"]), b"[1]"), (large(["a"]), orjson.dumps("z" * 2 * LARGE)), (large(["a"]), b" " + large(["b"]))],
    ids=["short before", "short after", "all new", "a default"],
)  # fmt: skip
def test_a_splice_that_saves_nothing_is_none(old: bytes, new: bytes) -> None:
    """Such a value is stored whole."""
    assert splice_of(old, new) is None


def test_a_splice_on_another_value_is_an_error() -> None:
    """A log that lost an entry makes no value that never was."""
    splice = splice_of(large(["a"]), large(["b"]))
    assert splice is not None
    with pytest.raises(PersistenceError, match="does not fit the value before it"):
        spliced(orjson.dumps(["a", "+" * 2 * LARGE]), splice)


class _Types:
    """As much of the types of a program as a scope needs to be written."""


Change = tuple[str, str, list[str]]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["write", "bind", "append", "unbind", "commit"]), st.sampled_from(["a", "b"]), LISTS),
    max_size=30,
)


@settings(max_examples=CASES)
@given(CHANGES, st.booleans())
def test_what_is_stored_is_what_was_written(changes: list[Change], inner: bool) -> None:
    """Any order of writes, commits and removals, in the body and in a branch."""
    dirty: list[Scope] = []
    around = Scope("", cast("Any", _Types()), dirty)
    around.fields = {"a": large(["outside"]), "b": b" " + large([])}
    scope = Scope("branch/", cast("Any", _Types()), dirty, around) if inner else around
    stored = StoredScopes(orjson.dumps({"": around.snapshot()}))
    for change, name, items in [*changes, ("commit", "", [])]:
        match change:
            case "write":
                scope.write_state({name: large(items)})
            case "bind":
                scope.bind(name, large(items))
            case "append" if scope.variables.get(name) is not None:
                scope.append(name, [orjson.dumps(item) for item in items])
            case "unbind":
                scope.unbind(name)
            case "commit" if scope.delta is not None:
                stored.apply(orjson.dumps({scope.name: scope.take_delta()}))
            case _:
                pass
    found = Scope(scope.name, cast("Any", _Types()), [], around if inner else None)
    stored.fill(found)
    assert found.fields == scope.fields
    assert found.own == scope.own
    assert {name: found.bytes_of(name) for name in found.variables} == {
        name: scope.bytes_of(name) for name in scope.variables
    }


def test_a_large_state_costs_its_changes_and_reads_back() -> None:
    """30 pages of 600 bytes in a state of 12 KB; a new process has the same state, and the history names the fields."""

    async def scenario() -> None:
        builder = make_builder()
        builder.register(reading)
        store = builder.engine().store
        run = await builder.create_workflow("Reading", {"pages": {f"p{n}": "é" * 300 for n in range(20)}})
        await run.run()
        again = await builder.load_workflow(run.id)
        assert again.state == run.state
        log = [entry for entry in await store.read_log(UUID(run.id)) if entry.kind == "step"]
        assert len(log) == 30
        assert sum(len(entry.delta) for entry in log) < 30 * 3_000
        program = await builder.engine().program_of(await store.load_instance(UUID(run.id)))
        assert history_entry(program, log[-1])["changed"] == ["kept", "lines", "pages", "turn"]

    asyncio.run(scenario())


def test_a_paused_instance_is_not_in_memory() -> None:
    """Nothing of the engine is kept for a run that waits: only its row in the store."""

    async def scenario() -> None:
        builder = make_builder(MemoryPersistenceProvider())
        builder.register(reading)
        for _ in range(3):
            await (await builder.create_workflow("Reading", Book())).run()
        gc.collect()
        runs = [item for item in gc.get_objects() if type(item) is Run]
        assert [item for item in runs if item.record.workflow_type == "Reading"] == []

    asyncio.run(scenario())
