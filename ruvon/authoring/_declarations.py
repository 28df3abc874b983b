"""What decorators leave on the objects they make: plain data that the compiler's linker and the engine read.

`Step.__ruvon_step__`, `Compensation.__ruvon_compensation__` and `Workflow.__ruvon_workflow__` hold one of these. Types
are not resolved here: an annotation may name a class that is defined further down, so `resolved_hints` does that when a
definition is linked or run.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, final

from pydantic import BaseModel

from ruvon.authoring._retry import Retry
from ruvon.models import MergeConflictBehavior, MergeStrategy

__all__ = [
    "CompensationDeclaration",
    "Parameter",
    "StepDeclaration",
    "WorkflowDeclaration",
    "parameters_of",
    "path_of",
    "resolved_hints",
]

CommitText = Literal["step", "iteration"]
OverlapText = Literal["skip", "buffer_one", "allow", "cancel_running"]


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a step function, in order of the signature."""

    name: str
    required: bool
    """A call must give it."""
    kind: Literal["positional", "keyword", "rest"]
    """`positional` may be given either way, `keyword` only by name, `rest` is `**inputs`."""
    default: object = None
    """The default value where `required` is false."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationDeclaration:
    """The function that undoes a step."""

    function: Callable[..., Any]
    path: str
    step_path: str
    is_async: bool
    takes_state: bool
    takes_context: bool
    result_parameter: str | None
    """The parameter that is given the step's recorded result."""
    parameters: tuple[Parameter, ...]
    """The rest, given the step's recorded arguments by name."""
    attempted: bool = False
    """Also runs when the outcome is unknown; the result is then None."""
    retry: Retry | None = None
    file: str = ""
    line: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepDeclaration:
    """A step function with its options, those of `with_` included."""

    function: Callable[..., Any]
    path: str
    name: str
    """The function's name, or what `name=` says."""
    named: bool = False
    """`name` was given and is not the function's own."""
    is_async: bool
    takes_state: bool
    takes_context: bool
    parameters: tuple[Parameter, ...]
    """The parameters that a call gives, without `state` and `context`."""
    retry: Retry | None = None
    timeout: timedelta | None = None
    queue: str | None = None
    blocking: bool = False
    """A synchronous body that blocks: run in a thread."""
    transaction: bool = False
    """Its SQL runs in the database transaction that commits the step."""
    concurrency_key: str | None = None
    """The argument, or the path into one or into the state, that limits of the queue count by."""
    strict: bool | None = None
    """Undeclared keys of a returned dict are errors; None takes the workflow's `strict_results`."""
    automate_next: bool | None = None
    input_model: type[BaseModel] | None = None
    required_input: tuple[str, ...] = ()
    """Keys that the step's input must have, where there is no model."""
    queue_timeout: timedelta | None = None
    """Longest wait for a worker."""
    deadline: timedelta | None = None
    """Longest time of the activation, retries included."""
    merge: MergeStrategy = MergeStrategy.SHALLOW
    conflict: MergeConflictBehavior = MergeConflictBehavior.PREFER_NEW
    merge_function: Callable[..., Any] | None = None
    """Merges the result instead of the strategy."""
    into: Any = None
    """The type that the result is validated as, where the annotation does not say."""
    compensation: CompensationDeclaration | None = None
    compensation_given: bool = False
    """`compensation` comes from `with_(compensate=)`; None then switches the declared one off."""
    file: str = ""
    line: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDeclaration:
    """A workflow's header; `function` is the author's own body, or None for an external workflow."""

    function: Callable[..., Any] | None
    path: str
    workflow_type: str
    version: str | None = None
    """None for an external workflow that is not pinned."""
    saga: bool = False
    strict_results: bool = True
    automate_next: bool = True
    cron: str | None = None
    tz: str = "UTC"
    overlap: OverlapText = "skip"
    catch_up: int = 1
    retention: timedelta | None = None
    """How long ended runs are kept; None keeps them for ever."""
    history: int | None = None
    commit: CommitText = "step"
    limit: timedelta | None = None
    """How long a run may take, whoever starts it; `timeout` is what a parent gives one child."""
    data_region: str | None = None
    retry: Retry | None = None
    timeout: timedelta | None = None
    step_name: str | None = None
    """The name that `with_(name=)` gives the step that starts it as a child."""
    merge: MergeStrategy = MergeStrategy.SHALLOW
    conflict: MergeConflictBehavior = MergeConflictBehavior.PREFER_NEW
    merge_function: Callable[..., Any] | None = None
    """Merges the child's result instead of the strategy."""
    takes: object = None
    """The state's class of an external workflow; None where it is not known."""
    gives: object = None
    """The result type of an external workflow; None where it is not known."""
    file: str = ""
    line: int = 0


def path_of(function: object) -> str:
    """The path of a function's definition, `module:qualname`."""
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', '?')}"


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """All parameters of a function in order, `state` and `context` included, `*args` left out."""
    found: list[Parameter] = []
    for item in inspect.signature(function).parameters.values():
        match item.kind:
            case inspect.Parameter.VAR_POSITIONAL:
                continue
            case inspect.Parameter.VAR_KEYWORD:
                found.append(Parameter(item.name, False, "rest"))
            case inspect.Parameter.KEYWORD_ONLY:
                found.append(_parameter(item, "keyword"))
            case _:
                found.append(_parameter(item, "positional"))
    return tuple(found)


def _parameter(item: inspect.Parameter, kind: Literal["positional", "keyword"]) -> Parameter:
    required = item.default is inspect.Parameter.empty
    return Parameter(item.name, required, kind, None if required else item.default)


@lru_cache(maxsize=4096)
def resolved_hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The function's annotations as types, `return` included; forward references are looked up in its module.

    Raises:
        NameError: an annotation names something that does not exist.
    """
    return typing.get_type_hints(function, include_extras=True)
