"""How often the steps of runs ran and how long they took, read from a store; the command line and the server show it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from ruvon.engine._step_counts import StepCounts
from ruvon.ir import Definition
from ruvon.providers import EngineStore, InstanceFilter, InstanceRecord, WorkflowNotFoundError

__all__ = ["step_numbers"]

_PAGE: Final = 200


async def step_numbers(
    store: EngineStore,
    chosen: InstanceFilter | InstanceRecord,
    definition_of: Callable[[InstanceRecord], Awaitable[Definition]],
    *,
    runs: int,
) -> tuple[list[dict[str, Any]], int]:
    """Rows as `StepCounts.rows` gives them, and of how many runs.

    Args:
        store: has the runs.
        chosen: which are counted, or the one.
        definition_of: the stored definition of a run; asked once for each digest.
        runs: so many of the newest at most.
    """
    counts, definitions, number = StepCounts(), dict[bytes, Definition](), 0
    async for record in _records(store, chosen, runs):
        definition = definitions.get(record.digest)
        if definition is None:
            definition = definitions[record.digest] = await definition_of(record)
        counts.add(record, definition, await store.read_log(record.workflow_id))
        number += 1
    return counts.rows(), number


async def _records(
    store: EngineStore, chosen: InstanceFilter | InstanceRecord, runs: int
) -> AsyncGenerator[InstanceRecord, None]:
    """The one run, or so many newest ones; one that was deleted meanwhile is left out."""
    if isinstance(chosen, InstanceRecord):
        yield chosen
        return
    after: tuple[int, int] | None = None
    while runs > 0:
        page = await store.find_instances(chosen, limit=min(runs, _PAGE), after=after)
        for row in page:
            try:
                yield await store.load_instance(UUID(row.workflow_id))
            except WorkflowNotFoundError:
                continue
        if not page:
            return
        after, runs = (page[-1].created_us, page[-1].key), runs - len(page)
