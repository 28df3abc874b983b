"""`@workflow`: an `async def` with one parameter, `state`, becomes a workflow.

The decorator compiles nothing and imports no front end: it keeps the author's own function and the header, which the
compiler reads. So a workflow module can be imported anywhere.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast, overload

from ruvon.authoring._checks import check_cron, check_workflow, place_of
from ruvon.authoring._declarations import (
    CommitText,
    OverlapText,
    WorkflowDeclaration,
    path_of,
    resolved_hints,
)
from ruvon.authoring._options import UNSET, Unset
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import ChildRequest, Pending, ScheduleRequest, SpawnRequest, Work, driver_of
from ruvon.models import MergeConflictBehavior, MergeStrategy

if TYPE_CHECKING:
    from ruvon.authoring._local import World

__all__ = ["Workflow", "external_workflow", "workflow"]

S = TypeVar("S")
R = TypeVar("R")


class Workflow(Generic[S, R]):
    """A workflow: call it in another body to run it as a child, `.local` to run it under CPython."""

    __wrapped__: Callable[..., Any]
    __name__: str
    __qualname__: str

    def __init__(self, declaration: WorkflowDeclaration) -> None:
        self.__ruvon_workflow__ = declaration
        if declaration.function is not None:
            update_wrapper(cast("Any", self), declaration.function, updated=())

    @property
    def name(self) -> str:
        """The workflow's type, as registered and stored."""
        return self.__ruvon_workflow__.workflow_type

    @property
    def version(self) -> str | None:
        """The version this definition has; None for an external workflow that is not pinned."""
        return self.__ruvon_workflow__.version

    @property
    def function(self) -> Callable[..., Any] | None:
        """The author's own body; None for an external workflow."""
        return self.__ruvon_workflow__.function

    @property
    def state_type(self) -> Any:
        """The state's class, resolved from the annotation."""
        declared = self.__ruvon_workflow__
        return declared.takes if declared.function is None else resolved_hints(declared.function).get("state")

    @property
    def result_type(self) -> Any:
        """The declared result type; None where the body declares none."""
        declared = self.__ruvon_workflow__
        return declared.gives if declared.function is None else resolved_hints(declared.function).get("return")

    @overload
    def __call__(self: "Workflow[None, R]", /) -> Work[R]: ...
    @overload
    def __call__(self, state: S, /) -> Work[R]: ...
    def __call__(self, state: Any = UNSET, /) -> Work[R]:
        """Run it as a child of the running body, and wait: its result, or its own error, comes out of the `await`.

        An `external_workflow` without `takes` may be started without a state; it begins with the defaults of its own.
        """
        return Pending[R](ChildRequest(self.__ruvon_workflow__, _begun(state)))

    def local(self, state: S, /, world: "World | None" = None) -> Work[R]:
        """Run the body under CPython with the engine's rules; the oracle, and the way to debug.

        Args:
            state: the initial state; the final one is written back into this object.
            world: what comes from outside: answers, signals, children, clock, ids, fakes of steps. Without it `sleep`
                returns at once, and `human`, `receive` and spawned children raise `WorldInputMissing`.

        Raises:
            WorldInputMissing: the world does not hold what the body waits for.
        """
        from ruvon.authoring._local import local_workflow  # noqa: PLC0415 - the runs stand on the workflows

        return local_workflow(self.__ruvon_workflow__, state, world)

    @overload
    def spawn(self: "Workflow[None, R]", /, *, key: str | None = ...) -> Work[str]: ...
    @overload
    def spawn(self, state: S, /, *, key: str | None = ...) -> Work[str]: ...
    def spawn(self, state: Any = UNSET, /, *, key: str | None = None) -> Work[str]:
        """Start it on its own and go on; gives its id. A second start with the same `key` gives the same id."""
        return Pending[str](SpawnRequest(self.__ruvon_workflow__, _begun(state), key))

    @overload
    def schedule(
        self: "Workflow[None, R]",
        /,
        *,
        cron: str,
        tz: str = ...,
        name: str | None = ...,
        overlap: OverlapText | None = ...,
        catch_up: int | None = ...,
    ) -> Work[str]: ...
    @overload
    def schedule(
        self,
        state: S,
        /,
        *,
        cron: str,
        tz: str = ...,
        name: str | None = ...,
        overlap: OverlapText | None = ...,
        catch_up: int | None = ...,
    ) -> Work[str]: ...
    def schedule(
        self,
        state: Any = UNSET,
        /,
        *,
        cron: str,
        tz: str = "UTC",
        name: str | None = None,
        overlap: OverlapText | None = None,
        catch_up: int | None = None,
    ) -> Work[str]:
        """Start it at each time of `cron`, in the time zone `tz`; gives the schedule's id.

        Args:
            state: the initial state of each run; without it each begins with the defaults of its own.
            cron: the times.
            tz: the time zone of `cron`.
            name: the schedule's name; a second call with it changes that schedule.
            overlap: what a start does while the last one still runs; the workflow's own by default.
            catch_up: how many missed starts are made up for; the workflow's own by default.
        """
        changes = {key: value for key, value in (("overlap", overlap), ("catch_up", catch_up)) if value is not None}
        declared: WorkflowDeclaration = replace(self.__ruvon_workflow__, **cast("Any", changes))
        return Pending[str](ScheduleRequest(declared, _begun(state), cron, tz, name))

    def restart(self, state: S, /) -> NoReturn:
        """End this run and begin it again under the same id, with `state`, the newest version and a fresh history."""
        what = f"`{self.name}.restart`"
        driver_of(what, "call it in the body of that workflow").restart(self.__ruvon_workflow__, state)

    def with_(
        self,
        *,
        version: str | Unset | None = UNSET,
        data_region: str | Unset | None = UNSET,
        retry: Retry | Unset | None = UNSET,
        timeout: timedelta | Unset | None = UNSET,
        name: str | Unset = UNSET,
        automate_next: bool | Unset = UNSET,
        merge: MergeStrategy | Unset = UNSET,
        conflict: MergeConflictBehavior | Unset = UNSET,
        merge_function: Callable[..., Any] | Unset | None = UNSET,
    ) -> Self:
        """The same workflow with other options at this call.

        Args:
            version: pin the child to this version; by default it runs the one current at its start.
            data_region: where the child's data may be kept; by default where the parent's is.
            retry: when and how often a failed child is started again.
            timeout: longest time of one run; then the child is cancelled and `TimedOut` raised.
            name: the name of the step that starts it, in the graph, in logs, jumps and repairs.
            automate_next: whether the workflow goes on by itself after this step.
            merge: how the child's result joins the state, where it does.
            conflict: who wins where the state was written meanwhile.
            merge_function: merges the result instead of the strategy.
        """
        given: dict[str, object] = {"version": version, "data_region": data_region, "retry": retry, "timeout": timeout}
        given |= {"step_name": name, "automate_next": automate_next, "merge": merge, "conflict": conflict}
        given |= {"merge_function": merge_function}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not UNSET}
        return type(self)(replace(self.__ruvon_workflow__, **changes))

    def __repr__(self) -> str:
        return f"<workflow {self.name} {self.version or ''}>"


def _begun(state: object) -> Any:
    """The initial state of a child; without one, what its class makes of nothing."""
    return {} if state is UNSET else state


def workflow(
    name: str,
    /,
    *,
    version: str = "1.0.0",
    saga: bool = False,
    strict_results: bool = True,
    automate_next: bool = True,
    cron: str | None = None,
    tz: str = "UTC",
    overlap: OverlapText = "skip",
    catch_up: int = 1,
    retention: timedelta | None = None,
    history: int | None = None,
    commit: CommitText = "step",
    timeout: timedelta | None = None,
) -> Callable[[Callable[[S], Work[R]]], Workflow[S, R]]:
    """Make a workflow of an `async def` with one parameter, `state`.

    Args:
        name: the workflow's type, as registered and stored.
        version: its version; a running instance keeps its own.
        saga: an uncaught error undoes every completed step that has a compensation.
        strict_results: a returned key that is no field of the state is an error.
        automate_next: the workflow goes on by itself after each step.
        cron: start it at these times.
        tz: the time zone of `cron`.
        overlap: what a start does while the last one still runs.
        catch_up: how many missed starts are made up for.
        retention: how long ended runs are kept; None keeps them for ever.
        history: log rows kept; None keeps all.
        commit: `iteration` commits once per turn of the outermost loop, for loops of devices.
        timeout: the longest time of a run, waits included; then it fails with `WorkflowTimeoutError`. None: for ever.

    Raises:
        DeclarationError: the function cannot be a workflow.
    """

    def decorate(function: Callable[[S], Work[R]]) -> Workflow[S, R]:
        check_workflow(function)
        check_cron(function, cron, tz)
        file, line = place_of(function)
        made = WorkflowDeclaration(
            function=function, path=path_of(function), workflow_type=name, version=version, saga=saga,
            strict_results=strict_results, automate_next=automate_next,
            cron=cron, tz=tz, overlap=overlap, catch_up=catch_up, retention=retention,
            history=history, commit=commit, limit=timeout, file=file, line=line,
        )  # fmt: skip
        return Workflow[S, R](made)

    return decorate


@overload
def external_workflow(name: str, /, *, version: str | None = ...) -> Workflow[Any, object]: ...
@overload
def external_workflow(name: str, /, *, takes: type[S], version: str | None = ...) -> Workflow[S, object]: ...
@overload
def external_workflow(name: str, /, *, gives: type[R], version: str | None = ...) -> Workflow[Any, R]: ...
@overload
def external_workflow(name: str, /, *, takes: type[S], gives: type[R], version: str | None = ...) -> Workflow[S, R]: ...
def external_workflow(
    name: str, /, *, takes: Any = None, gives: Any = None, version: str | None = None
) -> Workflow[Any, Any]:
    """A typed handle of a workflow that is defined elsewhere, in YAML or by another team.

    Args:
        name: its type, as registered.
        takes: the class of its initial state; without it any value is passed on, or none.
        gives: the class of its result; without it, nothing is known of the result.
        version: pin it to this version; by default the one current at each start.
    """
    return Workflow[Any, Any](
        WorkflowDeclaration(function=None, path=name, workflow_type=name, version=version, takes=takes, gives=gives)
    )
