"""`@compensate(step)`: the function that undoes a step.

It stands in the step's own module, so that importing the step always brings it along. What it makes is opaque: the
engine calls it, never a body. Where a body must undo something by itself, make the function a step first and register
that: `compensate(reserve)(release)` leaves `release` callable, and calling it marks the entry undone.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import update_wrapper
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, cast, final, overload

from ruvon.authoring._arguments import require_step
from ruvon.authoring._checks import check_compensation, place_of
from ruvon.authoring._declarations import CompensationDeclaration, Parameter, StepDeclaration, parameters_of, path_of
from ruvon.authoring._retry import Retry
from ruvon.authoring._step import StateStep, Step, register_compensation
from ruvon.models import StepContext

__all__ = ["Compensation", "compensate", "compensation", "compensation_from_function", "described", "undoing"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


@final
class Compensation:
    """A registered compensation; opaque, because only the engine may call it."""

    __wrapped__: Callable[..., Any]

    def __init__(self, declaration: CompensationDeclaration) -> None:
        self.__ruvon_compensation__ = declaration
        update_wrapper(cast("Any", self), declaration.function, updated=())

    def __repr__(self) -> str:
        return f"<compensation {self.__ruvon_compensation__.path}>"


class _Undo(Generic[P, R]):
    """Takes the compensation of a value step; the fullest overload last, because pyright reports against the last."""

    def __init__(self, step: Step[..., Any], retry: Retry | None, attempted: bool) -> None:
        self._register = _Register(step, retry, attempted)

    @overload
    def __call__(self, fn: Callable[[R], object], /) -> Compensation: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[StepContext, R, P], object], /) -> Compensation: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[R, P], object], /) -> Compensation: ...  # type: ignore[overload-cannot-match]
    def __call__(self, fn: Callable[..., Any], /) -> Compensation:
        """Register `fn`, which is given the step's result and its arguments."""
        return self._register(fn)


class _UndoState(Generic[S, P, R]):
    """Takes the compensation of a state step."""

    def __init__(self, step: Step[..., Any], retry: Retry | None, attempted: bool) -> None:
        self._register = _Register(step, retry, attempted)

    @overload
    def __call__(self, fn: Callable[[S], object], /) -> Compensation: ...
    @overload
    def __call__(self, fn: Callable[[S, StepContext], object], /) -> Compensation: ...
    @overload
    def __call__(self, fn: Callable[[S, StepContext, R], object], /) -> Compensation: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[S, StepContext, R, P], object], /) -> Compensation: ...  # type: ignore[overload-cannot-match]
    def __call__(self, fn: Callable[..., Any], /) -> Compensation:
        """Register `fn`, which is given the state, or the state, the context, the step's result and its arguments."""
        return self._register(fn)


@final
class _Register:
    __slots__ = ("_attempted", "_retry", "_step")

    def __init__(self, step: Step[..., Any], retry: Retry | None, attempted: bool) -> None:
        self._step, self._retry, self._attempted = step, retry, attempted

    def __call__(self, fn: Callable[..., Any]) -> Compensation:
        declared = self._step.__ruvon_step__
        function = fn.__ruvon_step__.function if isinstance(fn, Step) else fn
        declaration = compensation_from_function(function, declared)
        found = replace(declaration, retry=self._retry, attempted=self._attempted)
        register_compensation(self._step, found)
        return Compensation(found)


def undoing(found: Compensation | Callable[..., Any], step: StepDeclaration) -> CompensationDeclaration:
    """The compensation that one use of a step names.

    Raises:
        DeclarationError: the function's parameters cannot be given.
    """
    if isinstance(found, Compensation):
        declared = found.__ruvon_compensation__
        if not isinstance(declared.function, _Named):
            return declared
        described = compensation_from_function(declared.function.load(), step, beside=False)
        return replace(described, attempted=declared.attempted, retry=declared.retry)
    function = cast("Step[..., Any]", found).__ruvon_step__.function if isinstance(found, Step) else found
    return compensation_from_function(function, step, beside=False)


def described(found: Compensation | Callable[..., Any]) -> CompensationDeclaration:
    """The compensation of a call that has no step function, such as `http.with_(compensate=...)`."""
    if not isinstance(found, Compensation):
        return _described(inspect.unwrap(found), "")
    declared = found.__ruvon_compensation__
    if not isinstance(declared.function, _Named):
        return declared
    return replace(_described(declared.function.load(), ""), attempted=declared.attempted, retry=declared.retry)


def compensation(
    function: str | Callable[..., Any], /, *, attempted: bool = False, retry: Retry | None = None
) -> Compensation:
    """Options for a function that undoes one use of a step: `f.with_(compensate=compensation(g, attempted=True))`.

    Args:
        function: the function, or its path `module:name`, which is imported when it is needed.
        attempted: also run it when the outcome is unknown; the result may be None then.
        retry: when and how often a failed compensation is repeated.
    """
    if isinstance(function, str):
        declared = CompensationDeclaration(
            function=_Named(function),
            path=function,
            step_path="",
            is_async=True,
            takes_state=False,
            takes_context=False,
            result_parameter=None,
            parameters=(Parameter("inputs", required=False, kind="rest"),),
        )
    else:
        declared = _described(function, "")
    return Compensation(replace(declared, attempted=attempted, retry=retry))


@final
class _Named:
    """A function by its path; imported when a use of it is described."""

    def __init__(self, path: str) -> None:
        self.__module__, _, self.__qualname__ = path.partition(":")
        self.__name__ = self.__qualname__.rpartition(".")[2]

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        found: Any = importlib.import_module(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part)
        return cast("Callable[..., Any]", inspect.unwrap(found))

    def __call__(self, **given: Any) -> Any:
        """Call the function with what is given."""
        return self.load()(**given)


def compensation_from_function(
    function: Callable[..., Any], step: StepDeclaration, *, beside: bool = True
) -> CompensationDeclaration:
    """Describe a function as the compensation of a step.

    Args:
        function: the function.
        step: the step that it undoes.
        beside: it must stand in the step's module.

    Raises:
        DeclarationError: it lies in another module, or its parameters cannot be given.
    """
    check_compensation(function, step.function, step.parameters, beside=beside)
    return _described(function, step.path)


def _described(function: Callable[..., Any], step_path: str) -> CompensationDeclaration:
    parameters = parameters_of(function)
    names = [item.name for item in parameters]
    rest = [item for item in parameters if item.name not in {"state", "context"}]
    result = rest.pop(0).name if rest and rest[0].kind != "rest" else None
    file, line = place_of(function)
    return CompensationDeclaration(
        function=function,
        path=path_of(function),
        step_path=step_path,
        is_async=inspect.iscoroutinefunction(function),
        takes_state="state" in names,
        takes_context="context" in names,
        result_parameter=result,
        parameters=tuple(rest),
        file=file,
        line=line,
    )


@overload
def compensate(step: StateStep[S, P, R], /, *, retry: Retry | None = None) -> _UndoState[S, P, R]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
@overload
def compensate(  # type: ignore[overload-overlap]
    step: StateStep[S, P, R], /, *, retry: Retry | None = None, attempted: Literal[True]
) -> _UndoState[S, P, R | None]: ...  # pyright: ignore[reportOverlappingOverload]
@overload
def compensate(step: Step[P, R], /, *, retry: Retry | None = None) -> _Undo[P, R]: ...
@overload
def compensate(step: Step[P, R], /, *, retry: Retry | None = None, attempted: Literal[True]) -> _Undo[P, R | None]: ...
def compensate(step: Step[Any, Any], /, *, retry: Retry | None = None, attempted: bool = False) -> Any:
    """Register the function that undoes a completed step.

    A value step's compensation is given `(result, *the step's arguments)`, with `context` first where it declares one; a
    state step's `(state, context)`, then the result and the arguments where it declares them. The state is the current
    one, result and arguments are those recorded.

    Args:
        step: the step to undo.
        retry: when and how often a failed compensation is repeated; never by default.
        attempted: also run it when the outcome is unknown (timeout, crash, cancelled attempt); the result may be None
            then. For money this is the one to use.

    Raises:
        DeclarationError: the function lies in another module, or its parameters cannot be given.
        TypeError: what is given is no step.
    """
    require_step(step, isinstance(cast("object", step), Step))
    of = cast("Step[..., Any]", step)
    if of.__ruvon_step__.takes_state:
        return _UndoState[Any, ..., Any](of, retry, attempted)
    return _Undo[..., Any](of, retry, attempted)
