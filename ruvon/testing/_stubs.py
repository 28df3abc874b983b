"""Stand-ins for the bodies of steps, and a record of every call."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, final

from ruvon.engine import StepCall
from ruvon.testing._errors import HarnessError

__all__ = ["RecordedCall", "Stub", "name_of", "watched"]


@final
@dataclass(slots=True)
class RecordedCall:
    """One attempt of a step or a compensation, as the harness saw it."""

    workflow_id: str
    step: str
    """The node's id."""
    function: str | None
    """The path of the function."""
    arguments: Mapping[str, Any]
    """The call's values by parameter, without state and context."""
    state: Any
    """The step's own copy of the state, where it takes it; it shows what the step did to it."""
    attempt: int
    at: datetime
    idempotency_key: str | None
    compensates: bool
    stubbed: bool
    result: Any = None
    error: BaseException | None = None

    @property
    def name(self) -> str:
        """The node's id; `ID:compensate` for its compensation."""
        return f"{self.step}:compensate" if self.compensates else self.step


@final
@dataclass(slots=True)
class Stub:
    """What stands in for a step: made by `TestHarness.stub`."""

    does: Callable[..., Any] | None = None
    outcomes: Sequence[object] = ()
    """Results in order; an exception among them is raised. The last one is given again."""
    calls: list[RecordedCall] = field(default_factory=list[RecordedCall])

    def answer(self, call: StepCall) -> Any:
        """The result of one call."""
        if self.does is not None:
            given = {"state": call.state, "context": call.context, **call.arguments}
            return self.does(**_fitting(self.does, given))
        if not self.outcomes:
            return None
        outcome = self.outcomes[min(len(self.calls) - 1, len(self.outcomes) - 1)]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def _fitting(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in parameters}


def name_of(step: object) -> str:
    """The name that a stub is kept under: that of the node, or the path of the function."""
    if isinstance(step, str):
        return step
    for mark in ("__ruvon_step__", "__ruvon_compensation__"):
        declared = getattr(step, mark, None)
        if declared is not None:
            return _path_of(declared.function)
    if callable(step):
        return _path_of(step)
    raise HarnessError(f"{step!r} is no step: give the @step object, its function, or the name of the step")


def _path_of(function: Any) -> str:
    return f"{function.__module__}:{function.__qualname__}"


async def watched(made: Any, recorded: RecordedCall) -> Any:
    """What an awaitable comes to, noted in its call."""
    try:
        recorded.result = await made
    except BaseException as exc:
        recorded.error = exc
        raise
    return recorded.result
