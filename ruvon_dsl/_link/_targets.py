"""What an object that a workflow names is to the compiler: a closed union of targets.

Both front ends ask `describe` before they lower a call, so that one place decides what a step, a child workflow, a
pure function or an ordinary function is and which options its declaration carries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias, final

from ruvon.ir._nodes import Compensation, RetryPolicy, TypePath

__all__ = [
    "BlockTarget",
    "ChildTarget",
    "ClassTarget",
    "ConstantTarget",
    "Lookup",
    "Missing",
    "MissingType",
    "OtherTarget",
    "Parameter",
    "ParameterKind",
    "PlainFunctionTarget",
    "PureTarget",
    "Site",
    "StepTarget",
    "Target",
]


class MissingType(Enum):
    """The type of `Missing`."""

    MISSING = "missing"


Missing: Final[Literal[MissingType.MISSING]] = MissingType.MISSING
"""No such name, no annotation, no default: stands where None would be a value."""

Lookup: TypeAlias = Callable[[str], object]
"""From a dotted name as written (`models.Receipt`) to the object it means, or `Missing`."""


class ParameterKind(Enum):
    """How an argument may be given."""

    POSITIONAL_ONLY = "positional only"
    POSITIONAL_OR_KEYWORD = "positional or keyword"
    KEYWORD_ONLY = "keyword only"
    VAR_POSITIONAL = "any number by position"
    VAR_KEYWORD = "any name"


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a call as the workflow writes it (what the engine supplies is not listed)."""

    name: str
    annotation: object = Missing
    """The evaluated annotation, or `Missing`."""
    required: bool = True
    kind: ParameterKind = ParameterKind.POSITIONAL_OR_KEYWORD


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepTarget:
    """A `@step` function with the options of its declaration."""

    path: TypePath
    name: str
    parameters: tuple[Parameter, ...] = ()
    """What the caller gives, `state` included where `takes_state`, `context` never."""
    takes_state: bool = False
    takes_context: bool = False
    state: object = Missing
    """Annotation of the `state` parameter."""
    result: object = Missing
    """Annotation of the result, without the coroutine around it."""
    is_async: bool = False
    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    queue: str | None = None
    transaction: bool = False
    concurrency_key: str | None = None
    compensation: Compensation | None = None
    named: bool = False
    """`name` was given by the author and is not the function's own."""
    automate_next: bool | None = None
    input_model: object = None
    """The model of the input that the step waits for, or None."""
    defined: "Site | None" = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFunctionTarget:
    """An undecorated function named by YAML or `step_ref`; the same fields as a step, options empty."""

    path: TypePath
    name: str
    parameters: tuple[Parameter, ...] = ()
    takes_state: bool = False
    takes_context: bool = False
    state: object = Missing
    result: object = Missing
    is_async: bool = False
    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    queue: str | None = None
    compensation: Compensation | None = None
    defined: "Site | None" = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTarget:
    """A workflow (`@workflow` or `external_workflow`) that another one starts."""

    workflow_type: str
    version: str | None = None
    """A pinned version; None means the version current at the start."""
    takes: object = Missing
    gives: object = Missing


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PureTarget:
    """A `@pure` function, callable in expressions."""

    path: TypePath
    name: str
    parameters: tuple[Parameter, ...] = ()
    result: object = Missing


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTarget:
    """A `@block`: a sub-graph that the Python front end inlines at each call."""

    path: TypePath
    name: str
    function: object
    """The undecorated function, whose source is read."""
    parameters: tuple[Parameter, ...] = ()
    result: object = Missing


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTarget:
    """A class: a model, an enum, an exception, or any other."""

    path: TypePath
    cls: type


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantTarget:
    """A value that can be written as an expression: a literal, an enum member, a tuple or frozen model of them."""

    value: object


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTarget:
    """Anything else; `kind` says in words what it is (`a module`, `a list`, `a compensation`)."""

    value: object
    kind: str


@final
@dataclass(frozen=True, slots=True)
class Site:
    """Where Python code is defined; `line` counts from 1."""

    file: str
    line: int


Target: TypeAlias = (
    StepTarget
    | PlainFunctionTarget
    | ChildTarget
    | PureTarget
    | BlockTarget
    | ClassTarget
    | ConstantTarget
    | OtherTarget
)
