"""`@step`: a module-level function becomes a step that bodies call and workers find by its path.

The overloads go over callback protocols and not over `Callable[Concatenate[...]]`, because the parameter *names*
`state` and `context` must take part in matching: the structural form would swallow any second parameter typed `Any`.
There are four shapes, each synchronous and asynchronous, the fullest last, because pyright reports against the last.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from pydantic import BaseModel

from ruvon.authoring._arguments import require_step_options
from ruvon.authoring._checks import check_step, check_transaction, place_of
from ruvon.authoring._declarations import CompensationDeclaration, StepDeclaration, path_of
from ruvon.authoring._options import UNSET, Unset
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import Pending, StepRequest, Work
from ruvon.models import MergeConflictBehavior, MergeStrategy, StepContext

if TYPE_CHECKING:
    from ruvon.authoring._compensate import Compensation

__all__ = ["StateStep", "Step", "StepMaker", "register_compensation", "step", "step_from_function"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Rc_co = TypeVar("Rc_co", covariant=True)
Sc_contra = TypeVar("Sc_contra", contravariant=True)


class _StateCtx(Protocol[Sc_contra, P, Rc_co]):
    def __call__(self, state: Sc_contra, context: StepContext, *a: P.args, **k: P.kwargs) -> Rc_co: ...


class _State(Protocol[Sc_contra, P, Rc_co]):
    def __call__(self, state: Sc_contra, *a: P.args, **k: P.kwargs) -> Rc_co: ...


class _Ctx(Protocol[P, Rc_co]):
    def __call__(self, context: StepContext, *a: P.args, **k: P.kwargs) -> Rc_co: ...


class Step(Generic[P, R]):
    """A step: call it in a body and await the call. Its result is bound, never merged (see `StateStep`)."""

    __wrapped__: Callable[..., Any]
    __name__: str
    __qualname__: str

    def __init__(self, declaration: StepDeclaration, shared: "dict[str, CompensationDeclaration]") -> None:
        self._declaration = declaration
        self._shared = shared
        update_wrapper(cast("Any", self), declaration.function, updated=())

    @property
    def __ruvon_step__(self) -> StepDeclaration:
        """What the linker and the engine read, with options and compensation as they are now."""
        declared = self._declaration
        if declared.compensation_given or "compensation" not in self._shared:
            return declared
        return replace(declared, compensation=self._shared["compensation"])

    @property
    def name(self) -> str:
        """The step's name: the function's, or what `name=` says."""
        return self._declaration.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Work[R]:
        """The call, to be awaited in a workflow body; outside one, awaiting it raises `OutsideRunError`."""
        return Pending[R](StepRequest(self.__ruvon_step__, args, kwargs))

    def queued(self, *args: P.args, **kwargs: P.kwargs) -> Work[R]:
        """The call, run by a worker of the queue `default` (or of the step's own queue)."""
        declared = self.__ruvon_step__
        return Pending[R](StepRequest(replace(declared, queue=declared.queue or "default"), args, kwargs))

    def local(self, *args: P.args, **kwargs: P.kwargs) -> Work[R]:
        """Run the function now, without any engine, under the engine's rules for one step.

        Arguments go by value, the result is validated, retries and timeouts run on a virtual clock. Changes of a state
        step are merged into the object that was passed. `async with world:` around it supplies resources and the rest.
        """
        from ruvon.authoring._local import local_step  # noqa: PLC0415 - the runs stand on the steps

        return local_step(self.__ruvon_step__, args, kwargs)

    def with_(
        self,
        *,
        name: str | Unset = UNSET,
        retry: Retry | Unset | None = UNSET,
        timeout: timedelta | Unset | None = UNSET,
        queue: str | Unset | None = UNSET,
        compensate: "Compensation | Callable[..., Any] | Unset | None" = UNSET,
        automate_next: bool | Unset = UNSET,
        input_model: type[BaseModel] | Unset | None = UNSET,
        required_input: tuple[str, ...] | Unset = UNSET,
        queue_timeout: timedelta | Unset | None = UNSET,
        deadline: timedelta | Unset | None = UNSET,
        merge: MergeStrategy | Unset = UNSET,
        conflict: MergeConflictBehavior | Unset = UNSET,
        merge_function: Callable[..., Any] | Unset | None = UNSET,
        into: Any = UNSET,
        transaction: bool | Unset = UNSET,
        concurrency_key: str | Unset | None = UNSET,
    ) -> Self:
        """The same step with other options at this call; None switches off what the declaration gives.

        Args:
            name: the name of the step in the graph, in logs, jumps and repairs.
            retry: when and how often a failed attempt is repeated.
            timeout: longest time of one attempt.
            queue: workers of this queue run it.
            compensate: another compensation, or a function that undoes this use.
            automate_next: whether the workflow goes on by itself after this step.
            input_model: the model of the input that the step waits for.
            required_input: keys that the input must have, where there is no model.
            queue_timeout: longest wait for a worker.
            deadline: longest time of the activation, retries included; an engine limit, not kept by `.local`.
            merge: how a queued result joins the state.
            conflict: who wins where the state was written meanwhile.
            merge_function: merges the result instead of the strategy.
            into: the type that the result is validated as, for a function without annotations.
            transaction: whether its SQL runs in the database transaction that commits the step.
            concurrency_key: the argument, or the path into one or into `state`, that limits of its queue count by.
        """
        given = locals()
        changes = {key: given[key] for key in _OPTIONS if given[key] is not UNSET}
        if "name" in changes:
            changes["named"] = True
        if not isinstance(compensate, Unset):
            changes |= {"compensation": _undoing(compensate, self._declaration), "compensation_given": True}
        return type(self)(replace(self._declaration, **changes), self._shared)

    def __repr__(self) -> str:
        return f"<step {self._declaration.path}>"


_OPTIONS: Final = (
    "name",
    "retry",
    "timeout",
    "queue",
    "automate_next",
    "input_model",
    "required_input",
    "queue_timeout",
    "deadline",
    "merge",
    "conflict",
    "merge_function",
    "into",
    "transaction",
    "concurrency_key",
)


def _undoing(
    compensate: "Compensation | Callable[..., Any] | None", declared: StepDeclaration
) -> CompensationDeclaration | None:
    """What `with_(compensate=)` names: a registered compensation, or a function to be described as one."""
    from ruvon.authoring._compensate import undoing  # noqa: PLC0415 - compensations stand on steps

    return None if compensate is None else undoing(compensate, declared)


class StateStep(Step[Concatenate[S, P], R], Generic[S, P, R]):
    """A step whose first parameter is `state`: its changes and the keys of a returned dict merge into the state."""


class StepMaker:
    """The decorator `step`, plain or with options."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        self._options = options or {}

    @overload
    def __call__(
        self,
        *,
        name: str = ...,
        retry: Retry = ...,
        timeout: timedelta = ...,
        queue: str = ...,
        concurrency_key: str = ...,
        blocking: bool = ...,
        transaction: bool = ...,
        strict: bool = ...,
        automate_next: bool = ...,
        input_model: type[BaseModel] = ...,
    ) -> "StepMaker": ...
    @overload
    def __call__(self, fn: _StateCtx[S, P, Work[R]], /) -> StateStep[S, P, R]: ...
    @overload
    def __call__(self, fn: _StateCtx[S, P, R], /) -> StateStep[S, P, R]: ...
    @overload
    def __call__(self, fn: _State[S, P, Work[R]], /) -> StateStep[S, P, R]: ...
    @overload
    def __call__(self, fn: _State[S, P, R], /) -> StateStep[S, P, R]: ...
    @overload
    def __call__(self, fn: _Ctx[P, Work[R]], /) -> Step[P, R]: ...
    @overload
    def __call__(self, fn: _Ctx[P, R], /) -> Step[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, Work[R]], /) -> Step[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, *fn: Any, **options: Any) -> Any:
        """Make a step of a function, or a decorator with options.

        Args:
            *fn: one module-level function, synchronous or not; none gives a decorator with these options.
            **options: the following, all keyword-only.
            name: the step's name; the function's own by default.
            retry: when and how often a failed attempt is repeated; never by default.
            timeout: longest time of one attempt; none by default.
            queue: workers of this queue run it; by default the process that drives the workflow does.
            concurrency_key: an argument, or a path such as `order.customer` or `state.customer`: the limits of the queue
                may say how many steps with one value of it run at a time.
            blocking: a synchronous body that blocks; it runs in a thread.
            transaction: an `async def` body whose SQL, through `context.transaction`, is committed with the step, so that
                it happens exactly once; on stores with SQL only.
            strict: undeclared keys of a returned dict are errors; by default as the workflow says.
            automate_next: whether the workflow goes on by itself after this step.
            input_model: the model of the input that the step waits for.

        Raises:
            DeclarationError: the function cannot be a step.
            TypeError: there is no such option, or its value does not fit.
        """
        if not fn:
            return StepMaker({**self._options, **options})
        require_step_options(fn[0], self._options)
        return step_from_function(fn[0], **self._options)


def step_from_function(fn: Callable[..., Any], *, name: str | None = None, **options: Any) -> Step[..., Any]:
    """Make a step of a function; `state` as the name of its first parameter makes it a `StateStep`.

    Raises:
        DeclarationError: the function cannot be a step.
    """
    parameters = check_step(fn)
    names = {item.name for item in parameters}
    if options.get("transaction"):
        check_transaction(fn, options)
    file, line = place_of(fn)
    declaration = StepDeclaration(
        function=fn,
        path=path_of(fn),
        name=name or fn.__name__,
        named=name is not None,
        is_async=inspect.iscoroutinefunction(fn),
        takes_state="state" in names,
        takes_context="context" in names,
        parameters=tuple(item for item in parameters if item.name not in {"state", "context"}),
        file=file,
        line=line,
        **options,
    )
    if declaration.takes_state:
        return StateStep[Any, ..., Any](declaration, {})
    return Step[..., Any](declaration, {})


def register_compensation(of: Step[..., Any], compensation: CompensationDeclaration) -> None:
    """Keep a compensation for all uses of a step; `compensate` calls it."""
    of._shared["compensation"] = compensation  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


step: Final = StepMaker()
"""Decorate a module-level function to make it a step: `@step` or `@step(retry=..., timeout=...)`."""
