"""Results, variables and fields that are declared by what they offer: `Mapping`, `Sequence` and their kind."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import BaseModel

from ruvon import human, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus


class Shelf(BaseModel):
    prices: Mapping[str, int] = {}
    sizes: Sequence[int] = ()
    frozen: bool = False


@step
def prices(state: Shelf, factor: int) -> Mapping[str, object]:
    found: dict[str, object] = {"prices": {"mug": factor}, "sizes": [1, 2]}
    return MappingProxyType(found) if state.frozen else found


@step
def nested(count: int) -> dict[str, Mapping[str, Sequence[int]]]:
    return {"a": {"b": [count]}}


@step
def labels(count: int) -> AbstractSet[str]:
    return {f"{count}"}


@step
def counted(count: int) -> MutableMapping[str, int]:
    return {"n": count}


@workflow("Abstract")
async def abstract(state: Shelf) -> Mapping[str, int]:
    await prices(state, factor=2)
    deep = await nested(3)
    names = await labels(4)
    more = await counted(5)
    await human("pause")
    if "4" in names:
        return {"deep": deep["a"]["b"][0], "more": more["n"], "price": state.prices["mug"], "sizes": state.sizes[1]}
    return more


def test_a_run_goes_on_with_them_after_a_reload(tmp_path: Path) -> None:
    """What was stored is read back as dicts, lists and sets."""

    async def scene() -> object:
        for part in range(2):
            builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(tmp_path / "a.db"))
            builder.register(abstract)
            await builder.initialize()
            if part == 0:
                run = await builder.create_workflow("Abstract")
                await run.run()
                known = run.id
            else:
                run = await builder.load_workflow(known)
                await run.answer({})
                return run.result
            await builder.close()
        return None

    assert asyncio.run(scene()) == {"deep": 3, "more": 5, "price": 2, "sizes": 2}


def test_a_view_of_a_dict_is_taken_as_one() -> None:
    """It is a Mapping too."""

    async def scene() -> tuple[WorkflowStatus, Mapping[str, int]]:
        builder = WorkflowBuilder()
        builder.register(abstract)
        await builder.initialize()
        run = await builder.create_workflow("Abstract", {"frozen": True})
        await run.run()
        return run.status, run.state.prices

    assert asyncio.run(scene()) == (WorkflowStatus.WAITING_HUMAN, {"mug": 2})


def test_the_texts_of_their_types_are_read_back() -> None:
    """No import root is asked."""
    from ruvon.ir.types import parse_type, type_text

    def refuse(path: str) -> object:
        raise AssertionError(path)

    for annotation in (Mapping[str, int], Sequence[Mapping[str, int]], AbstractSet[str], MutableMapping[str, int]):
        assert parse_type(type_text(annotation), refuse) == annotation
    with pytest.raises(AssertionError, match="Iterable"):
        parse_type("collections.abc:Iterable", refuse)
