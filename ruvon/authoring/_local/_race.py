"""`first_of`, `named` and `start` in a local run.

A race is decided when nothing more can happen at this instant: of the branches that have ended by then the earliest
argument wins. The others are cancelled and awaited, and what they took (messages, answers) is laid back.
"""

import asyncio
from collections.abc import Generator
from typing import Any, final

from ruvon.authoring._local._groups import Branch, labels_of, start_branch
from ruvon.authoring._local._join import merge_by, write_set
from ruvon.authoring._local._run import LocalDriver, checked_cancel
from ruvon.authoring._local._scheduler import Aborted, Park
from ruvon.authoring._parallel import MergeFunction
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
from ruvon.models import TimedOut, Won
from ruvon.providers._clock import duration_us

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


@final
class _Race:
    """One `first_of` while it runs."""

    def __init__(self, driver: LocalDriver, request: FirstRequest) -> None:
        self.driver, self.options = driver, request.options
        labels = labels_of(request.works, indexed=False)
        self.branches = [Branch(index, labels[index], work) for index, work in enumerate(request.works)]
        self.path = driver.group("first_of")
        self.winner: Branch | None = None
        self.late = False

    async def run(self) -> None:
        """Start all branches, and wait until the race is decided and all have ended."""
        scheduler, timeout = self.driver.run.scheduler, self.options.timeout
        due = self.driver.world.now_us + duration_us(timeout) if timeout is not None else None
        timer = scheduler.at(due, self._expire) if due is not None else None
        for branch in self.branches:
            self._start(branch)
        scheduler.decide_later(self._decide)
        try:
            while any(branch.running for branch in self.branches):
                await Park("a race")
        finally:
            scheduler.forget_decision(self._decide)
            if timer is not None:
                timer.cancelled = True
            if self.winner is not None or self.late:
                self._lose()
            self.driver.strand.adopt([branch.strand for branch in self.branches if branch.strand is not None])

    def _start(self, branch: Branch) -> None:
        strand = start_branch(self.driver, branch, f"{self.path}[{branch.label}]", self.driver.layer.fork())
        strand.on_end = self._ended

    def _ended(self) -> None:
        if self.winner is not None or self.late or self.driver.strand.cancel_asked:
            self.driver.run.scheduler.wake(self.driver.strand)

    def _decide(self) -> bool:
        if self.winner is None and not self.late:
            self.winner = next((branch for branch in self.branches if branch.done), None)
            if self.winner is None:
                return False
            self._cancel()
        return True

    def _expire(self) -> None:
        self.late = True
        self._cancel()

    def _cancel(self) -> None:
        """End the branches that have not won."""
        for branch in self.branches:
            if branch is not self.winner and branch.strand is not None:
                self.driver.run.scheduler.cancel(branch.strand, hard=True)
        self.driver.run.scheduler.wake(self.driver.strand)

    def _lose(self) -> None:
        """Lay back what the branches took that have not won."""
        for branch in self.branches:
            if branch is not self.winner and branch.strand is not None:
                branch.strand.lose()

    def finish(self) -> Any:
        """The winner's value, what it wrote merged; or the error.

        Raises:
            TimedOut: nothing won in time.
        """
        checked_cancel(self.driver.strand)
        if self.late:
            raise TimedOut("first_of")
        if self.winner is None:
            self._decide()
            self._lose()
        assert self.winner is not None  # noqa: S101 - all branches have ended
        return _taken(self.driver, self.winner, self.options.merge_function)


async def perform_first(driver: LocalDriver, request: FirstRequest) -> Any:
    """Run a `first_of`."""
    for work in request.works:
        _check(work, request.works)
    race = _Race(driver, request)
    await race.run()
    return race.finish()


def _taken(driver: LocalDriver, winner: Branch, merge_function: MergeFunction | None = None) -> Any:
    """The winner's value, its writes merged; or its error."""
    strand, layer = winner.strand, winner.layer
    assert strand is not None  # noqa: S101 - the winner ran
    assert layer is not None  # noqa: S101
    if strand.error is not None:
        raise strand.error
    if merge_function is None:
        driver.layer.write(write_set(winner.start, layer.table))
    else:
        merge_by(driver.layer, merge_function, [strand.result])
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
