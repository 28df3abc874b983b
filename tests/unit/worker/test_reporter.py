"""Reports that share a call to the store: each caller gets the answer to its own."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from ruvon.providers import PersistenceError, SystemClock, TaskReport, TaskStore
from ruvon.worker._reporter import Reporter


class Picky:
    """A store that cannot keep the report of one task."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        self.batches.append(len(reports))
        return [PersistenceError("too large") if item.task_id == "bad" else item.task_id != "lost" for item in reports]


def test_an_error_goes_to_whose_report_it_is_about() -> None:
    """The others of the batch are told that theirs counted, or did not."""
    store = Picky()

    async def scenario() -> list[Any]:
        reporter = Reporter(cast("TaskStore", store), SystemClock())
        reports = (TaskReport(name, 1) for name in ("a", "bad", "lost", "b"))
        return await asyncio.gather(*(reporter.report(item) for item in reports), return_exceptions=True)

    first, bad, lost, last = asyncio.run(scenario())

    assert (first, lost, last) == (True, False, True)
    assert str(bad) == "too large"
    assert store.batches == [4]
