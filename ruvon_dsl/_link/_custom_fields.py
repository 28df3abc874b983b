"""Findings about the fields of custom step types: what the class does not have, lacks, or would refuse.

Constants are held against the class as it will be made when the step runs, limits of its fields included. What is only
known then has the type that the flow gives it, which `Checks` looks at.
"""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Call, Definition, Node
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.models import WorkflowStep
from ruvon_dsl._link._codes import CUSTOM_FIELD
from ruvon_dsl._link._config import CONFIG_TYPES

__all__ = [
    "NOT_CONSTANT",
    "StepClasses",
    "constant_of",
    "custom_field_findings",
    "custom_types",
    "step_classes",
    "uses_custom_types",
]

StepClasses: TypeAlias = Callable[[str], "type[WorkflowStep] | None"]
"""The class of a step type by its name; None where it is not known."""

_OWN: Final = frozenset({"name", "type", "function", "compensate_function", "description"})
"""Fields that every type has, and that the graph keeps elsewhere."""
_BUILT_IN: Final = frozenset({"STANDARD", "ASYNC", "RESTART", *CONFIG_TYPES})
NOT_CONSTANT: Final = object()


def custom_field_findings(definition: Definition, classes: StepClasses) -> list[Diagnostic]:
    """An error for each field that does not fit the class of its step type."""
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        cls = classes(node.action.type) if isinstance(node.action, Call) else None
        if isinstance(node.action, Call) and cls is not None:
            found.extend(_of_step(node, node.action, cls))
    return found


def custom_types(definition: Definition) -> frozenset[str]:
    """The step types of a definition that are not built in."""
    actions = (node.action for node in walk_nodes(definition.graph))
    return frozenset(action.type for action in actions if isinstance(action, Call)) - _BUILT_IN


def uses_custom_types(definition: Definition) -> bool:
    """Whether a step is of a type that is not built in."""
    return bool(custom_types(definition))


def step_classes(values: Iterable[object]) -> dict[str, type[WorkflowStep]]:
    """The classes of step types among some values, by the name of their type."""
    found: dict[str, type[WorkflowStep]] = {}
    for value in values:
        if isinstance(value, type) and issubclass(value, WorkflowStep):
            name = value.model_fields["type"].default
            if isinstance(name, str):
                found[name] = value
    return found


def _of_step(node: Node, call: Call, cls: type[WorkflowStep]) -> Iterator[Diagnostic]:
    known = {name: info for name, info in cls.model_fields.items() if name not in _OWN}
    for name, value in call.config.items():
        info = known.get(name)
        if info is None and name not in _OWN:
            near = get_close_matches(name, known, 1)
            help_ = f"did you mean `{near[0]}`?" if near else f"its fields are {', '.join(map('`{}`'.format, known))}"
            yield _finding(node, value, f"the step type {call.type} has no field `{name}`", help_)
        elif info is not None and (problem := _refused(info, value)) is not None:
            yield _finding(node, value, f"`{name}` of `{node.id}` does not fit its field: {problem}", "")
    given = call.config.keys() | call.args.keys()
    for name, info in known.items():
        if info.is_required() and name not in given:
            yield _finding(node, None, f"`{node.id}` lacks `{name}`, which {call.type} needs", f"add `{name}`")


def _refused(info: FieldInfo, value: Expr) -> str | None:
    constant = constant_of(value)
    if constant is NOT_CONSTANT:
        return None
    wanted: Any = info.rebuild_annotation()
    try:
        TypeAdapter(wanted).validate_python(constant)
    except ValidationError as exc:
        error = exc.errors()[0]
        return f"{error['msg'][0].lower()}{error['msg'][1:]}, given {error['input']!r}"
    return None


def constant_of(expr: Expr) -> object:
    """The value of an expression of constants; `NOT_CONSTANT` for any other."""
    match expr:
        case e.Const(value=value):
            return value
        case e.List(items=items) | e.Tuple(items=items):
            values = [constant_of(item) for item in items]
            return NOT_CONSTANT if any(value is NOT_CONSTANT for value in values) else values
        case e.Dict(items=items):
            pairs = [
                (constant_of(item.key) if item.key is not None else NOT_CONSTANT, constant_of(item.value))
                for item in items
            ]
            return NOT_CONSTANT if any(NOT_CONSTANT in pair for pair in pairs) else dict(pairs)
        case _:
            return NOT_CONSTANT


def _finding(node: Node, value: Expr | None, message: str, help_: str) -> Diagnostic:
    span = value.span if value is not None and value.span is not None else node.display.source
    reason = "the fields of a step type are those of its class, and are checked before any run"
    return Diagnostic(code=CUSTOM_FIELD, message=message, span=span, reason=reason, help=help_)
