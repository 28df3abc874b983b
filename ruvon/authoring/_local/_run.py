"""One instance in a local run (`LocalRun`), and one sequence of it as the body sees it (`LocalDriver`).

The driver performs what its sequence awaits; each kind of request has its own module. A driver belongs to one strand of
the scheduler and has its own layer of the state.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn, final
from uuid import UUID

from ruvon.authoring._declarations import CompensationDeclaration, WorkflowDeclaration, resolved_hints
from ruvon.authoring._local._layers import Layer, StateForm, classes_of, form_of
from ruvon.authoring._local._scheduler import Aborted, Scheduler, Strand
from ruvon.authoring._local._world import Called, World, WorldInputMissing
from ruvon.authoring._work import Request, Work, describe
from ruvon.ir._errors import RuvonError
from ruvon.ir.values import copy_value, validate
from ruvon.models import CompensationFailedError, SagaWorkflowException

__all__ = [
    "EndlessRunError",
    "Entry",
    "ForeignRestartError",
    "Hands",
    "LocalDriver",
    "LocalRun",
    "RestartRequested",
    "Restarted",
    "checked_cancel",
    "missing",
]


class Restarted(RuvonError):  # noqa: N818 - an outcome, not a failure
    """The body called `restart`: the run is over, and the next one begins with `state`.

    Args:
        workflow_type: the workflow that begins again.
        state: its new initial state.
    """

    def __init__(self, workflow_type: str, state: Any) -> None:
        self.workflow_type = workflow_type
        self.state = state
        super().__init__(f"the workflow `{workflow_type}` restarts; run it again with the state this error holds")


class RestartRequested(BaseException):
    """`restart` on its way out of the body, past its handlers."""

    def __init__(self, state: Any) -> None:
        self.state = state
        super().__init__("restart")


class ForeignRestartError(RuvonError):
    """A body called the `restart` of another workflow.

    Args:
        named: the workflow whose `restart` was called.
        running: the workflow that runs.
    """

    def __init__(self, named: str, running: str) -> None:
        super().__init__(f"`{running}` called the restart of `{named}`; a run can only begin its own workflow again")


class EndlessRunError(RuvonError):
    """A local run awaited more than its world allows; probably a loop that nothing ends.

    Args:
        limit: the world's `max_calls`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the run awaited more than {limit} calls; script what ends its loop (a signal, an answer), "
            "or raise World(max_calls=)"
        )


@final
@dataclass(slots=True, eq=False)
class Entry:
    """One completed activation that can be undone."""

    step: str
    activation: str
    compensation: CompensationDeclaration | None
    args: Mapping[str, Any]
    result: Any
    scopes: tuple[object, ...]
    child: "LocalRun | None" = None
    """A completed awaited child, undone as a whole."""
    undone: bool = False


@final
@dataclass(frozen=True, slots=True)
class Hands:
    """What a driver does not do itself; made in `_hands`, which knows all the modules that do."""

    perform: "Callable[[LocalDriver, Request], Coroutine[Any, Any, Any]]"
    """Do what a body awaits."""
    roll_back: "Callable[[LocalDriver, Sequence[Entry]], Coroutine[Any, Any, None]]"
    """Undo entries, last completed first."""
    share: "Callable[[LocalDriver, Work[Any]], Awaitable[Any]]"
    """Start work that may be awaited several times."""


@final
@dataclass(slots=True, eq=False)
class LocalRun:
    """One instance: its state, its saga entries, its place in the world."""

    declaration: WorkflowDeclaration
    world: World
    scheduler: Scheduler
    hands: "Hands"
    form: StateForm
    body: Any
    """The state as the body holds it."""
    root: Layer
    workflow_id: str
    path: str = ""
    """The prefix of its branches: empty for the outermost run."""
    entries: list[Entry] = field(default_factory=list[Entry])
    counter: Counter[str] = field(default_factory=Counter[str])
    undone_not: list[str] = field(default_factory=list[str])
    """Steps whose compensation failed."""

    @classmethod
    def begin(
        cls,
        declaration: WorkflowDeclaration,
        state: Any,
        world: World,
        scheduler: Scheduler,
        hands: "Hands",
        path: str = "",
        *,
        state_type: Any = None,
        names: Mapping[str, Any] | None = None,
    ) -> "LocalRun":
        """Set up an instance with a copy of its initial state; type and names come from its body where it has one."""
        function = declaration.function
        hints = resolved_hints(function) if function is not None else {"state": state_type}
        classes = classes_of(hints.get("state"), hints.get("return"), names or getattr(function, "__globals__", {}))
        form = form_of(hints.get("state"), classes)
        layer = Layer.of(form, form.initial(copy_value(state)))
        body = form.body_object()
        form.show(body, layer)
        return cls(declaration, world, scheduler, hands, form, body, layer, str(world.new_run_id()), path)

    def strand(self, work: Callable[["LocalDriver"], Work[Any]], driver: "LocalDriver") -> Strand:
        """A strand of this run for a driver."""
        strand = Strand(work(driver), driver, lambda: self.form.show(self.body, driver.layer))
        driver.strand = strand
        return strand

    def main(self) -> Strand:
        """The strand of the whole body, rollback included."""
        return self.strand(_execute, LocalDriver(self, self.root, self.path))

    def record(self, entry: Entry) -> None:
        """Keep a completed activation for a rollback."""
        self.entries.append(entry)


async def _execute(driver: "LocalDriver") -> Any:
    """Run the author's body to its end; on an uncaught error undo what a saga says."""
    run = driver.run
    function = run.declaration.function
    assert function is not None  # noqa: S101 - external workflows are never run here
    try:
        result = await function(run.body)
        driver.layer.settle()
        if "return" in resolved_hints(function):
            result = validate(resolved_hints(function)["return"], copy_value(result), "the result")
        return copy_value(result)
    except RestartRequested:
        raise
    except (Exception, asyncio.CancelledError) as error:
        driver.layer.settle()  # what the body changed in place before the error happened, whatever came after it
        if run.declaration.saga or isinstance(error, SagaWorkflowException):
            await run.hands.roll_back(driver, run.entries)
        if run.undone_not and isinstance(error, Exception):
            raise CompensationFailedError(run.undone_not) from error
        raise


def checked_cancel(strand: Strand) -> None:
    """End a cancelled sequence here, once.

    Raises:
        CancelledError: the sequence was cancelled.
    """
    if strand.cancel_asked and not strand.cancel_given:
        strand.cancel_given = True
        raise asyncio.CancelledError


@final
class LocalDriver:
    """What a body talks to while one of its sequences runs."""

    __slots__ = ("branch", "groups", "layer", "previous", "run", "scopes", "strand")

    strand: Strand

    def __init__(self, run: LocalRun, layer: Layer, branch: str, scopes: tuple[object, ...] = ()) -> None:
        self.run = run
        self.layer = layer
        self.branch = branch
        self.scopes = scopes
        self.previous: Any = None
        """The result of the last finished step of this sequence."""
        self.groups = Counter[str]()

    @property
    def world(self) -> World:
        """The world of the run."""
        return self.run.world

    def activation(self, name: str) -> str:
        """The label of the next activation of a step in this sequence: branch path, name, visit.

        The engine's own text has node id and loop indices, which only a compiler knows; here a counter stands for them.
        """
        self.run.counter[f"{self.branch}/{name}"] += 1
        visit = self.run.counter[f"{self.branch}/{name}"]
        own = name if visit == 1 else f"{name}#{visit}"
        return f"{self.branch}/{own}" if self.branch else own

    def group(self, name: str) -> str:
        """The path of the next group of branches in this sequence."""
        self.groups[name] += 1
        own = name if self.groups[name] == 1 else f"{name}_{self.groups[name]}"
        return f"{self.branch}/{own}" if self.branch else own

    def key(self, activation: str) -> str:
        """The idempotency key of an activation."""
        return sha256(f"{self.run.workflow_id}:{activation}".encode()).hexdigest()

    def note(self, step: str, activation: str, args: Mapping[str, Any]) -> None:
        """Record a call as it starts."""
        self.world.calls.append(Called(step, activation, self.branch, args))

    def perform(self, request: Request, /) -> Work[Any]:
        """Do what a body awaits."""
        return self._perform(request)

    async def _perform(self, request: Request) -> Any:
        checked_cancel(self.strand)
        self.layer.settle()
        if not self.world.count():
            raise Aborted(EndlessRunError(self.world.max_calls))
        result = await self.run.hands.perform(self, request)
        checked_cancel(self.strand)
        return result

    def now(self) -> datetime:
        """The present moment of the world's clock."""
        return self.world.now

    def new_id(self) -> UUID:
        """The world's next identifier."""
        return self.world.new_id()

    def random(self) -> float:
        """The world's next random number."""
        return self.world.random()

    def secret(self, name: str, /) -> str:
        """A secret of the world."""
        if name not in self.world.secrets:
            raise Aborted(WorldInputMissing(f"the secret `{name}`", f"World(secrets={{{name!r}: ...}})"))
        return self.world.secrets[name]

    def render(self, text: str, names: Mapping[str, Any], /) -> str:
        """A template, rendered by the world's engine."""
        return self.world.template_engine.render(text, names)

    def begin(self, work: Work[Any], /) -> Awaitable[Any]:
        """Start work now, to be awaited later."""
        return self.run.hands.share(self, work)

    def restart(self, declaration: WorkflowDeclaration, state: Any, /) -> NoReturn:
        """End the run; it begins again with a copy of `state`.

        Raises:
            Aborted: another workflow's `restart` was called.
        """
        if declaration.workflow_type != self.run.declaration.workflow_type:
            raise Aborted(ForeignRestartError(declaration.workflow_type, self.run.declaration.workflow_type))
        self.layer.settle()
        raise RestartRequested(copy_value(state))

    def enter_scope(self) -> object:
        """Open a saga scope."""
        scope = object()
        self.scopes = (*self.scopes, scope)
        return scope

    async def leave_scope(self, scope: object, error: BaseException | None, /) -> None:
        """Close a saga scope; after an error or a cancellation undo first what completed inside."""
        self.scopes = tuple(item for item in self.scopes if item is not scope)
        if isinstance(error, Exception | asyncio.CancelledError):
            self.layer.settle()
            await self.run.hands.roll_back(self, [entry for entry in self.run.entries if scope in entry.scopes])


def missing(request: Request, remedy: str) -> Aborted:
    """The end of a run that waits for something its world does not hold."""
    return Aborted(WorldInputMissing(describe(request)[0], remedy))
