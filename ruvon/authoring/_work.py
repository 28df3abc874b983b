"""Calls as data: what a workflow body awaits is a request, and whoever drives the body performs it.

`charge(state)` runs nothing. It makes a `Pending`, typed as a coroutine so that both type checkers report a forgotten
`await`, which holds a `Request`. When it is awaited, the driver of the running body performs the request; with no driver
there is nobody to keep the engine's promises, so that is an error with a remedy. In the engine bodies are not run at
all (their graph is), so the one driver is `.local`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, TypeVar, final
from uuid import UUID

from pydantic import BaseModel

from ruvon.authoring._declarations import StepDeclaration, WorkflowDeclaration
from ruvon.authoring._options import CallOptions
from ruvon.authoring._retry import Retry
from ruvon.ir._errors import RuvonError
from ruvon.models import MergeConflictBehavior, MergeStrategy

if TYPE_CHECKING:
    from ruvon.authoring._step import Step

__all__ = [
    "CURRENT_DRIVER",
    "AfterRequest",
    "ChildRequest",
    "CustomRequest",
    "Data",
    "Driver",
    "FirstRequest",
    "GatherOptions",
    "GatherRequest",
    "HttpRequest",
    "HumanRequest",
    "InferRequest",
    "ModelInput",
    "NamedRequest",
    "OutsideRunError",
    "Pending",
    "ReceiveRequest",
    "Request",
    "ScheduleRequest",
    "SleepRequest",
    "SpawnRequest",
    "StepRequest",
    "WasmRequest",
    "Work",
    "describe",
    "driver_of",
]

R = TypeVar("R")
Work: TypeAlias = Coroutine[Any, Any, R]
"""What every call in a body gives: await it, or pass it to `gather` or `first_of`."""
Data: TypeAlias = BaseModel | Mapping[str, object]
"""A model, or a mapping of storable values."""
ModelInput: TypeAlias = Data | Sequence[object]
"""What a model is asked: named inputs, or one input alone, such as a list of numbers or a text."""
Json: TypeAlias = Data | list[Any]


@final
@dataclass(frozen=True, slots=True)
class StepRequest:
    """Run a step function."""

    declaration: StepDeclaration
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True)
class CustomRequest:
    """Run an entry of the step-type registry."""

    type: str
    config: Mapping[str, Any]
    declaration: StepDeclaration
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    into: Any = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """Ask a server."""

    method: str
    url: str
    into: Any
    query: Mapping[str, object]
    json: Data | None
    body: str | None
    headers: Mapping[str, Any]
    expect: tuple[int, ...]
    includes: tuple[str, ...]
    max_bytes: int | None
    retry: Retry | None
    timeout: timedelta | None
    options: CallOptions


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """Ask a model."""

    model: str
    data: ModelInput | None
    into: Any
    timeout: timedelta | None
    default: Any
    fallback: str | None
    fields: Mapping[str, Any]
    """Further fields of the step type, for whoever runs the model."""
    retry: Retry | None
    options: CallOptions


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WasmRequest:
    """Call a sandboxed module."""

    module: str
    data: Data | None
    into: Any
    entry: str
    state_mapping: Mapping[str, str]
    default: Any
    fallback: str | None
    timeout: timedelta | None
    retry: Retry | None
    options: CallOptions


@final
@dataclass(frozen=True, slots=True)
class SleepRequest:
    """Wait for a span of time, or until a moment; exactly one is set."""

    options: CallOptions
    duration: timedelta | None = None
    until: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class ReceiveRequest:
    """Wait for a typed message."""

    options: CallOptions
    model: Any
    key: str | None
    timeout: timedelta | None
    default: Any
    """What is taken after the timeout; `UNSET` where nothing is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HumanRequest:
    """Wait for a person."""

    task: str
    form: Any
    show: Data | None
    role: str | None
    assignee: str | None
    timeout: timedelta | None
    default: Any
    """What is taken after the timeout; `UNSET` where nothing is."""
    ask: StepDeclaration | None
    answer: StepDeclaration | None
    ask_args: Mapping[str, Any]
    answer_args: Mapping[str, Any]
    required_input: tuple[str, ...]
    answer_to: str
    options: CallOptions


@final
@dataclass(frozen=True, slots=True)
class ChildRequest:
    """Run another workflow and wait for it."""

    declaration: WorkflowDeclaration
    state: Any


@final
@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """Start another workflow and go on."""

    declaration: WorkflowDeclaration
    state: Any
    key: str | None


@final
@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """Register a recurring start."""

    declaration: WorkflowDeclaration
    state: Any
    cron: str
    tz: str
    name: str | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GatherOptions:
    """How `gather` and `first_of` run and join their branches."""

    limit: int | None = None
    batch_size: int | None = None
    partial: bool = False
    tolerate: float | None = None
    merge: MergeStrategy = MergeStrategy.SHALLOW
    conflict: MergeConflictBehavior = MergeConflictBehavior.RAISE_ERROR
    merge_function: Callable[[list[Any]], Mapping[str, object]] | None = None
    timeout: timedelta | None = None
    listed: bool = False
    """The call unpacks a list (`gather(*...)`), so its result is a list; otherwise a tuple."""


@final
@dataclass(frozen=True, slots=True)
class GatherRequest:
    """Run branches concurrently and wait for all."""

    works: tuple[Work[Any], ...]
    options: GatherOptions


@final
@dataclass(frozen=True, slots=True)
class FirstRequest:
    """Run branches concurrently and take the first that ends."""

    works: tuple[Work[Any], ...]
    options: GatherOptions


@final
@dataclass(frozen=True, slots=True)
class NamedRequest:
    """A branch of `first_of` with a name."""

    name: str
    work: Work[Any]


@final
@dataclass(frozen=True, slots=True)
class AfterRequest:
    """A branch of `gather` that comes after others, or has a label of its own."""

    work: Work[Any]
    labels: tuple[str, ...]
    label: str | None = None


Request: TypeAlias = (
    StepRequest
    | CustomRequest
    | HttpRequest
    | InferRequest
    | WasmRequest
    | SleepRequest
    | ReceiveRequest
    | HumanRequest
    | ChildRequest
    | SpawnRequest
    | ScheduleRequest
    | GatherRequest
    | FirstRequest
    | NamedRequest
    | AfterRequest
)


class Driver(Protocol):
    """Who runs a body: performs what it awaits, and answers what it asks for in passing."""

    def perform(self, request: Request, /) -> Work[Any]:
        """Do what the request says."""
        ...

    def now(self) -> datetime:
        """The present moment."""
        ...

    def new_id(self) -> UUID:
        """A fresh identifier."""
        ...

    def random(self) -> float:
        """A random number."""
        ...

    def secret(self, name: str, /) -> str:
        """The value of a secret."""
        ...

    def render(self, text: str, names: Mapping[str, Any], /) -> str:
        """A template with these names."""
        ...

    def begin(self, work: Work[Any], /) -> Awaitable[Any]:
        """Start work now, to be awaited later."""
        ...

    def restart(self, declaration: WorkflowDeclaration, state: Any, /) -> NoReturn:
        """End the run and begin it again with a new state."""
        ...

    def enter_scope(self) -> object:
        """Open a saga scope and give its token."""
        ...

    def leave_scope(self, scope: object, error: BaseException | None, /) -> Work[None]:
        """Close a saga scope; with an error, undo first what completed inside."""
        ...


CURRENT_DRIVER: ContextVar[Driver | None] = ContextVar("ruvon_driver", default=None)
"""The driver of the body that runs in this context; None outside bodies, also inside step functions."""


class OutsideRunError(RuvonError):
    """Something that only a running workflow can do was done outside one.

    Args:
        what: what was done, such as ``the step `charge` ``.
        remedy: how to do it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        super().__init__(f"{what} was used outside a running workflow; {remedy}")


def driver_of(what: str, remedy: str) -> Driver:
    """The driver of the running body.

    Raises:
        OutsideRunError: no body is running here.
    """
    driver = CURRENT_DRIVER.get()
    if driver is None:
        raise OutsideRunError(what, remedy)
    return driver


@final
class Pending(Coroutine[Any, Any, R]):
    """A call that has not been awaited yet."""

    __slots__ = ("__weakref__", "_running", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._running: Work[R] | None = None

    def _start(self) -> Work[R]:
        if self._running is None:
            what, remedy = describe(self.request)
            self._running = driver_of(what, remedy).perform(self.request)
        return self._running

    def __await__(self) -> Generator[Any, Any, R]:
        if self._running is not None:
            what, _ = describe(self.request)
            raise RuntimeError(f"{what} was awaited twice; make the call again, or share it with `start(...)`")
        return self._start().__await__()

    def send(self, value: Any, /) -> Any:
        """Go on with the work; for event loops."""
        return self._start().send(value)

    def throw(
        self,
        typ: Any,
        val: Any = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:
        """Raise inside the work; for event loops."""
        running = self._start()
        return running.throw(typ) if val is None and tb is None else running.throw(typ, val, tb)

    def close(self) -> None:
        """Give the work up; what was never started does nothing."""
        if self._running is not None:
            self._running.close()

    def __repr__(self) -> str:
        return f"<{describe(self.request)[0]}, not awaited>"


def _step_remedy(step: "StepDeclaration | Step[..., Any]") -> str:
    name = step.name
    return f"await it in a `@workflow` body, or run its function with `await {name}.local(...)`"


def describe(request: Request) -> tuple[str, str]:
    """What a request is, in a few words, and how to use it."""
    body = "await it in a `@workflow` body, and run that with `.local(state, world)` or the engine"
    match request:
        case StepRequest(declaration=declaration):
            return f"the step `{declaration.name}`", _step_remedy(declaration)
        case CustomRequest(type=kind):
            return f"the step type `{kind}`", body
        case ChildRequest(declaration=child) | SpawnRequest(declaration=child) | ScheduleRequest(declaration=child):
            remedy = "run it with `.local(state, world)`, or start it with the engine's builder"
            return f"the workflow `{child.workflow_type}`", remedy
        case HttpRequest(method=method, url=url):
            return f"`http` ({method} {url})", body
        case InferRequest(model=model):
            return f"`infer` of `{model}`", body
        case WasmRequest(module=module):
            return f"`wasm` of `{module}`", body
        case HumanRequest(task=task):
            return f"the human task `{task}`", body
        case ReceiveRequest(model=model):
            return f"`receive` of `{getattr(model, '__name__', model)}`", body
        case SleepRequest():
            return "`sleep`", body
        case GatherRequest():
            return "`gather`", body
        case FirstRequest():
            return "`first_of`", body
        case NamedRequest(name=name):
            return f'`named("{name}", ...)`', body
        case AfterRequest():
            return "`after`", body
