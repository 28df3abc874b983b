"""`gather` in a local run: branches with layers of their own, task-group rules, and the join."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

from ruvon.authoring._local._join import BranchWrites, join, merge_by
from ruvon.authoring._local._layers import Layer, Table
from ruvon.authoring._local._run import LocalDriver, checked_cancel
from ruvon.authoring._local._scheduler import Aborted, Park, Strand
from ruvon.authoring._options import CallOptions
from ruvon.authoring._work import (
    AfterRequest,
    ChildRequest,
    CustomRequest,
    GatherRequest,
    HumanRequest,
    NamedRequest,
    Pending,
    Request,
    ScheduleRequest,
    SpawnRequest,
    StepRequest,
    Work,
)
from ruvon.ir._errors import RuvonError
from ruvon.ir.values import copy_value
from ruvon.models import Batch, Failure, MergeConflictBehavior, StepFailed, TimedOut
from ruvon.providers._clock import duration_us

__all__ = ["Branch", "BranchLabelError", "labels_of", "perform_after", "perform_gather", "start_branch"]


class BranchLabelError(RuvonError):
    """`after` names a branch that there is not, or that comes after it.

    Args:
        label: the label that cannot be followed.
        known: the labels of the branches.
    """

    def __init__(self, label: str, known: Sequence[str]) -> None:
        self.label = label
        names = ", ".join(f"`{item}`" for item in known)
        super().__init__(f"after(..., {label!r}) can never start; the branches of this gather are {names}")


@final
@dataclass(slots=True, eq=False)
class Branch:
    """One branch of a group."""

    index: int
    label: str
    work: Work[Any]
    after: tuple[str, ...] = ()
    strand: Strand | None = None
    layer: Layer | None = None
    start: Table = field(default_factory=dict[str, bytes])
    lost: BaseException | None = None
    """The error of a branch that it comes after, because of which it never starts."""

    @property
    def done(self) -> bool:
        """Whether it was started and has ended, or never will be."""
        return self.lost is not None or (self.strand is not None and self.strand.done)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.strand is not None and not self.strand.done

    @property
    def ok(self) -> bool:
        """Whether it ended without an error."""
        return self.strand is not None and self.strand.done and self.strand.error is None


def labels_of(works: Sequence[Work[Any]], *, indexed: bool) -> list[str]:
    """The labels of branches: their index in a mapped group, else what they call, with `_2`, `_3` for repetitions."""
    if indexed:
        return [str(index) for index in range(len(works))]
    labels: list[str] = []
    for work in works:
        label = name = _label(work)
        number = 2
        while label in labels:
            label, number = f"{name}_{number}", number + 1
        labels.append(label)
    return labels


def _label(work: Work[Any]) -> str:
    request: Request | None = work.request if isinstance(work, Pending) else None
    options: object = getattr(request, "options", None)
    if isinstance(options, CallOptions) and options.get("name") is not None:
        return str(options.get("name"))
    match request:
        case None:
            return str(getattr(work, "__name__", "branch"))
        case AfterRequest(work=inner, label=label):
            return _label(inner) if label is None else label
        case NamedRequest(name=name):
            return name
        case StepRequest(declaration=declaration):
            return declaration.name
        case CustomRequest(type=kind, config=config, declaration=declaration) if declaration.name == kind:
            return str(getattr(config.get("function"), "name", kind.lower()))
        case CustomRequest(declaration=declaration):
            return declaration.name
        case ChildRequest(declaration=child) | SpawnRequest(declaration=child) | ScheduleRequest(declaration=child):
            return child.step_name or child.workflow_type
        case HumanRequest(task=task):
            return task
        case _:
            return type(request).__name__.removesuffix("Request").lower()


def start_branch(driver: LocalDriver, branch: Branch, path: str, layer: Layer) -> Strand:
    """Let a branch run on a layer of its own."""
    branch.layer, branch.start = layer, dict(layer.table)
    inside = LocalDriver(driver.run, layer, path, driver.scopes)
    inside.previous = driver.previous

    async def body(own: LocalDriver) -> Any:
        result = await branch.work
        own.layer.settle()
        return copy_value(result)

    branch.strand = driver.run.strand(body, inside)
    return driver.run.scheduler.add(branch.strand, driver.strand)


@final
class _Gather:
    """One `gather` while it runs."""

    def __init__(self, driver: LocalDriver, request: GatherRequest) -> None:
        self.driver, self.options = driver, request.options
        labels = labels_of(request.works, indexed=request.options.listed)
        self.branches = [Branch(index, labels[index], work, _after(work)) for index, work in enumerate(request.works)]
        self.by_label = {branch.label: branch for branch in self.branches}
        self.path = driver.group("gather")
        self.failures: list[Branch] = []
        """Failed branches in order of time."""
        self.stopping = False
        self.late = False
        self.barrier = request.options.batch_size or len(self.branches)
        self._check_labels()

    def _check_labels(self) -> None:
        started: set[str] = set()
        waiting = list(self.branches)
        while waiting:
            ready = [branch for branch in waiting if started.issuperset(branch.after)]
            if not ready:
                for branch in self.branches:
                    _give_up(branch.work)
                lost = next(name for branch in waiting for name in branch.after if name not in started)
                raise Aborted(BranchLabelError(lost, list(self.by_label)))
            started.update(branch.label for branch in ready)
            waiting = [branch for branch in waiting if branch not in ready]

    async def run(self) -> None:
        """Start branches as the options allow, until all have ended."""
        scheduler, strand, timeout = self.driver.run.scheduler, self.driver.strand, self.options.timeout
        due = self.driver.world.now_us + duration_us(timeout) if timeout is not None else None
        timer = scheduler.at(due, self._expire) if due is not None else None
        try:
            while True:
                self._start_ready()
                if not any(branch.running for branch in self.branches):
                    break
                await Park("branches")
        finally:
            if timer is not None:
                timer.cancelled = True
            strand.adopt([branch.strand for branch in self.branches if branch.strand is not None])
            for branch in self.branches:
                if branch.strand is None:
                    _give_up(branch.work)

    def _expire(self) -> None:
        self.late = self.stopping = True
        for branch in self.branches:
            if branch.strand is not None:
                self.driver.run.scheduler.cancel(branch.strand, hard=True)

    def _start_ready(self) -> None:
        if self.stopping or self.driver.strand.cancel_asked:
            return
        while any(self._gives_up(branch) for branch in self.branches):
            continue
        while self.barrier < len(self.branches) and all(branch.done for branch in self.branches[: self.barrier]):
            self.barrier += self.options.batch_size or 1
        room = (self.options.limit or len(self.branches)) - sum(branch.running for branch in self.branches)
        for branch in self.branches[: self.barrier]:
            if room <= 0:
                return
            if branch.strand is None and not branch.done and all(self.by_label[label].ok for label in branch.after):
                self._start(branch)
                room -= 1

    def _gives_up(self, branch: Branch) -> bool:
        """Whether a branch is found to come after one that failed: it fails with that."""
        failed = [self.by_label[label] for label in branch.after if self.by_label[label] in self.failures]
        if not failed or branch.done or branch.strand is not None:
            return False
        branch.lost = _error_of(failed[0])
        self.failures.append(branch)
        return True

    def _start(self, branch: Branch) -> None:
        layer = self.driver.layer.fork()
        before = [self._writes(item) for item in self.branches if item.label in self._earlier(branch)]
        join(layer, before, self.options.merge, MergeConflictBehavior.PREFER_NEW)
        strand = start_branch(self.driver, branch, f"{self.path}[{branch.label}]", layer)
        strand.on_end = lambda: self._ended(branch, strand)

    def _ended(self, branch: Branch, strand: Strand) -> None:
        if isinstance(strand.error, Exception):
            self.failures.append(branch)
            if not self._collects:
                self.stopping = True
                for other in self.branches:
                    if other.strand is not None:
                        self.driver.run.scheduler.cancel(other.strand)
        elif strand.error is not None and not isinstance(strand.error, asyncio.CancelledError):
            raise strand.error  # a restart, or the end of the run
        self.driver.run.scheduler.wake(self.driver.strand)

    @property
    def _collects(self) -> bool:
        return self.options.partial

    def _earlier(self, branch: Branch) -> frozenset[str]:
        """The labels of all branches that come before one, at any distance."""
        found = set(branch.after)
        for label in branch.after:
            found |= self._earlier(self.by_label[label])
        return frozenset(found)

    def _writes(self, branch: Branch) -> BranchWrites:
        assert branch.layer is not None  # noqa: S101 - only branches that ran are joined
        return BranchWrites(branch.label, branch.start, branch.layer, self._earlier(branch))

    def finish(self) -> Any:
        """Raise what must be raised, merge, and give the results."""
        checked_cancel(self.driver.strand)
        if self.late:
            raise TimedOut("gather")
        if self.failures and not self._collects:
            raise _error_of(self.failures[0])
        if self._too_many():
            first = _error_of(self.failures[0])
            text = f"{len(self.failures)} of {len(self.branches)} branches of `gather` failed, first with: {first}"
            raise StepFailed(text, "TooManyFailed") from first
        good = [branch for branch in self.branches if branch.ok]
        options, layer = self.options, self.driver.layer
        if options.merge_function is None:
            join(layer, [self._writes(branch) for branch in good], options.merge, options.conflict)
        else:
            merge_by(layer, options.merge_function, [item.strand.result for item in good if item.strand is not None])
        self.driver.run.form.show(self.driver.run.body, layer)
        return self._results(good)

    def _too_many(self) -> bool:
        share = self.options.tolerate
        return share is not None and len(self.failures) > share * len(self.branches)

    def _results(self, good: Sequence[Branch]) -> Any:
        values = {branch.index: branch.strand.result for branch in good if branch.strand is not None}
        if self.options.partial:
            failed = [_failure(branch) for branch in self.branches if branch not in good]
            return Batch(list(values.values()), failed)
        each = list(values.values())
        return each if self.options.listed else tuple(each)


def _give_up(work: Work[Any]) -> None:
    """Close work that was never started, and what it is wrapped around."""
    work.close()
    if isinstance(work, Pending) and isinstance(work.request, AfterRequest):
        _give_up(work.request.work)


def _after(work: Work[Any]) -> tuple[str, ...]:
    request = work.request if isinstance(work, Pending) else None
    return request.labels if isinstance(request, AfterRequest) else ()


def _error_of(branch: Branch) -> BaseException:
    """The error of a branch; one that never started failed with what it came after."""
    error = branch.strand.error if branch.strand is not None else branch.lost
    return error if error is not None else RuntimeError(f"the branch `{branch.label}` was not started")


def _failure(branch: Branch) -> Failure:
    error = _error_of(branch)
    return Failure(branch.index, type(error).__qualname__, str(error))


async def perform_gather(driver: LocalDriver, request: GatherRequest) -> Any:
    """Run a `gather`."""
    group = _Gather(driver, request)
    await group.run()
    result = group.finish()
    driver.previous = copy_value(result)
    return result


async def perform_after(request: AfterRequest) -> Any:
    """A branch that comes after others, once it may start; outside `gather` just its work."""
    return await request.work
