"""Interceptors: code of applications around every body that the engine calls.

An interceptor is called in place of the body, with what is known about the call and a function that goes on. It may look,
measure, bind context variables, replace the arguments' effect by a stub, or refuse by raising, which fails the step as if
the body had raised. What it returns is the body's result (or an awaitable of it). It never sees commits: for that there
are observers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, final

from ruvon.models import StepContext

__all__ = ["Intercept", "StepCall", "StepInterceptor", "chained"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One attempt of a body that is about to run."""

    workflow_id: str
    workflow_type: str
    step: str
    """The node's id."""
    activation: str
    """The identity of this execution of the node, the same for all its attempts."""
    attempt: int
    """From 1."""
    function: str | None
    """The path of the function, or None where the step type has none."""
    arguments: Mapping[str, Any]
    """The values of the call, by parameter; without state and context."""
    state: Any
    """The step's own copy of the state, where it takes it."""
    context: StepContext | None
    """The step's context, where it takes it."""
    compensates: bool = False
    """The body undoes the step instead of doing it."""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    """The metadata of the instance."""


class StepInterceptor(Protocol):
    """Code around the body of every step and compensation."""

    def __call__(self, call: StepCall, proceed: Callable[[], Any], /) -> Any:
        """Answer with the body's result, or an awaitable of it; `proceed()` runs the body (or the next interceptor)."""
        ...


Intercept: TypeAlias = Callable[[StepCall, Callable[[], Any]], Any]


def chained(interceptors: Sequence[StepInterceptor]) -> Intercept | None:
    """All of them as one, the first outermost; None where there is none, so that the engine asks once."""
    if not interceptors:
        return None
    made: Intercept = interceptors[-1]
    for outer in reversed(interceptors[:-1]):
        made = _around(outer, made)
    return made


def _around(outer: StepInterceptor, inner: Intercept) -> Intercept:
    return lambda call, proceed: outer(call, lambda: inner(call, proceed))
