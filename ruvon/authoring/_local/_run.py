"""One instance in a local run (`LocalRun`), and one sequence of it as the body sees it (`LocalDriver`).

The driver performs what its sequence awaits; each kind of request has its own module. A driver belongs to one strand of
the scheduler and has its own layer of the state.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn, assert_never, final
from uuid import UUID

from ruvon.authoring._declarations import CompensationDeclaration, WorkflowDeclaration, resolved_hints
from ruvon.authoring._local._layers import Layer, StateForm, classes_of, form_of
from ruvon.authoring._local._scheduler import Aborted, Scheduler, Strand
from ruvon.authoring._local._world import Called, World, WorldInputMissing
from ruvon.authoring._work import (
    AfterRequest,
    ChildRequest,
    CustomRequest,
    FirstRequest,
    GatherRequest,
    HttpRequest,
    HumanRequest,
    InferRequest,
    NamedRequest,
    ReceiveRequest,
    Request,
    ScheduleRequest,
    SleepRequest,
    SpawnRequest,
    StepRequest,
    WasmRequest,
    Work,
    describe,
)
from ruvon.ir._errors import RuvonError
from ruvon.ir.values import copy_value, validate
from ruvon.models import SagaWorkflowException

__all__ = ["EndlessRunError", "Entry", "LocalDriver", "LocalRun", "RestartRequested", "Restarted", "checked_cancel"]


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
@dataclass(slots=True, eq=False)
class LocalRun:
    """One instance: its state, its saga entries, its place in the world."""

    declaration: WorkflowDeclaration
    world: World
    scheduler: Scheduler
    form: StateForm
    body: Any
    """The state as the body holds it."""
    root: Layer
    workflow_id: str
    path: str = ""
    """The prefix of its branches: empty for the outermost run."""
    entries: list[Entry] = field(default_factory=lambda: [])
    counter: Counter[str] = field(default_factory=lambda: Counter())

    @classmethod
    def begin(
        cls,
        declaration: WorkflowDeclaration,
        state: Any,
        world: World,
        scheduler: Scheduler,
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
        return cls(declaration, world, scheduler, form, body, layer, str(world.new_run_id()), path)

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
            result = validate(resolved_hints(function)["return"], copy_value(result), "result")
        return copy_value(result)
    except RestartRequested:
        raise
    except (Exception, asyncio.CancelledError) as error:
        if run.declaration.saga or isinstance(error, SagaWorkflowException):
            from ruvon.authoring._local._saga import roll_back

            await roll_back(driver, run.entries)
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
        result = await self._dispatch(request)
        checked_cancel(self.strand)
        return result

    def _dispatch(self, request: Request) -> Coroutine[Any, Any, Any]:
        from ruvon.authoring._local import _children, _groups, _race, _services, _steps, _waits

        match request:
            case StepRequest():
                return _steps.perform_step(self, request)
            case CustomRequest():
                return _steps.perform_custom(self, request)
            case HttpRequest():
                return _services.perform_http(self, request)
            case InferRequest():
                return _services.perform_infer(self, request)
            case WasmRequest():
                return _services.perform_wasm(self, request)
            case SleepRequest():
                return _waits.perform_sleep(self, request)
            case ReceiveRequest():
                return _waits.perform_receive(self, request)
            case HumanRequest():
                return _waits.perform_human(self, request)
            case ChildRequest():
                return _children.perform_child(self, request)
            case SpawnRequest():
                return _children.perform_spawn(self, request)
            case ScheduleRequest():
                return _children.perform_schedule(self, request)
            case GatherRequest():
                return _groups.perform_gather(self, request)
            case FirstRequest():
                return _race.perform_first(self, request)
            case NamedRequest():
                return _race.perform_named(request)
            case AfterRequest():
                return _groups.perform_after(request)
            case _:
                assert_never(request)

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

    def begin(self, work: Work[Any], /) -> Awaitable[Any]:
        """Start work now, to be awaited later."""
        from ruvon.authoring._local._race import Shared

        return Shared(self, work)

    def restart(self, declaration: WorkflowDeclaration, state: Any, /) -> NoReturn:
        """End the run; it begins again with a copy of `state`."""
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
            from ruvon.authoring._local._saga import roll_back

            await roll_back(self, [entry for entry in self.run.entries if scope in entry.scopes])


def missing(driver: LocalDriver, request: Request, remedy: str) -> Aborted:
    """The end of a run that waits for something its world does not hold."""
    return Aborted(WorldInputMissing(describe(request)[0], remedy))
