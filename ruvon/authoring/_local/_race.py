"""`first_of`, `named` and `start` in a local run.

A race is decided when nothing more can happen at this instant: of the branches that have ended by then the earliest
argument wins. The others are cancelled and awaited, and what they took (messages, answers) is laid back.
"""

import asyncio
from collections.abc import Generator
from typing import Any, final

from ruvon.authoring._local._groups import Branch, labels_of, start_branch
from ruvon.authoring._local._join import write_set
from ruvon.authoring._local._run import LocalDriver, checked_cancel
from ruvon.authoring._local._scheduler import Aborted, Park
from ruvon.authoring._work import (
    CURRENT_DRIVER,
    AfterRequest,
    CustomRequest,
    FirstRequest,
    HttpRequest,
    InferRequest,
    NamedRequest,
    Pending,
    StepRequest,
    WasmRequest,
    Work,
    describe,
)
from ruvon.ir._errors import RuvonError
from ruvon.models import Won

__all__ = ["RaceBranchError", "Shared", "perform_first", "perform_named"]


class RaceBranchError(RuvonError):
    """A bare step is a branch of `first_of`.

    Args:
        what: the step.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is a branch of `first_of`, but if it lost, its effect would have happened all the same; race waits, "
            "children, or nested `async def` functions"
        )


def _check(work: Work[Any], works: tuple[Work[Any], ...]) -> None:
    request = work.request if isinstance(work, Pending) else None
    match request:
        case NamedRequest(work=inner) | AfterRequest(work=inner):
            _check(inner, works)
        case StepRequest() | CustomRequest() | HttpRequest() | InferRequest() | WasmRequest():
            for each in works:
                each.close()
            raise Aborted(RaceBranchError(describe(request)[0]))
        case _:
            return


async def perform_first(driver: LocalDriver, request: FirstRequest) -> Any:
    """Run a `first_of`."""
    for work in request.works:
        _check(work, request.works)
    scheduler, parent = driver.run.scheduler, driver.strand
    labels = labels_of(request.works, indexed=False)
    branches = [Branch(index, labels[index], work) for index, work in enumerate(request.works)]
    path = driver.group("first_of")
    winner: list[Branch] = []

    def decide() -> bool:
        ended = next((branch for branch in branches if branch.done), None)
        if ended is None or winner:
            return bool(winner)
        winner.append(ended)
        for other in branches:
            if other is not ended and other.strand is not None:
                scheduler.cancel(other.strand, hard=True)
        scheduler.wake(parent)
        return True

    for branch in branches:
        strand = start_branch(driver, branch, f"{path}[{branch.label}]", driver.layer.fork())
        strand.on_end = lambda: scheduler.wake(parent) if winner or parent.cancel_asked else None
    scheduler.decide_later(decide)
    try:
        while any(branch.running for branch in branches):
            await Park("a race")
    finally:
        scheduler.forget_decision(decide)
        ended = [branch.strand for branch in branches if branch.strand is not None]
        for branch in branches:
            if branch.strand is not None and winner and branch is not winner[0]:
                branch.strand.lose()
        parent.adopt(ended)
    checked_cancel(parent)
    if not winner:
        decide()
        for branch in branches:
            if branch.strand is not None and branch is not winner[0]:
                branch.strand.lose()
    return _taken(driver, winner[0])


def _taken(driver: LocalDriver, winner: Branch) -> Any:
    """The winner's value, its writes merged; or its error."""
    strand, layer = winner.strand, winner.layer
    assert strand is not None  # noqa: S101 - the winner ran
    assert layer is not None  # noqa: S101
    if strand.error is not None:
        raise strand.error
    driver.layer.write(write_set(winner.start, layer.table))
    driver.run.form.show(driver.run.body, driver.layer)
    return strand.result


async def perform_named(request: NamedRequest) -> Won[Any]:
    """A branch with a name."""
    return Won(request.name, await request.work)


@final
class Shared:
    """Work that was started; each `await` waits for its end, the first one merges what it wrote."""

    __slots__ = ("_branch", "_merged", "_waiting")

    def __init__(self, driver: LocalDriver, work: Work[Any]) -> None:
        label = labels_of([work], indexed=False)[0]
        self._branch = Branch(0, label, work)
        self._merged = False
        self._waiting: list[LocalDriver] = []
        path = f"{driver.group('start')}[{label}]"
        strand = start_branch(driver, self._branch, path, driver.layer.fork())
        driver.strand.children.remove(strand)  # it belongs to the run: whoever awaits it may end later than its starter
        strand.on_end = self._wake

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.run.scheduler.wake(waiting.strand)

    def __await__(self) -> Generator[Any, Any, Any]:
        driver = CURRENT_DRIVER.get()
        if not isinstance(driver, LocalDriver):
            raise TypeError("work that was started in a workflow body can only be awaited there")
        return self._result(driver).__await__()

    async def _result(self, driver: LocalDriver) -> Any:
        checked_cancel(driver.strand)
        driver.layer.settle()
        self._waiting.append(driver)
        while not self._branch.done:
            await Park("started work")
        checked_cancel(driver.strand)
        if self._branch.strand is not None and isinstance(self._branch.strand.error, asyncio.CancelledError):
            raise asyncio.CancelledError
        if self._merged and self._branch.ok and self._branch.strand is not None:
            return self._branch.strand.result
        self._merged = True
        return _taken(driver, self._branch)
