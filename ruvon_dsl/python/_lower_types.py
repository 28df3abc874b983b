"""Annotations and class names of the source to canonical type texts and class paths.

With a lookup the annotation is evaluated by walking its own tree, never by `eval`: names are looked up, subscripts and
unions applied. Without one the text stands as it is written.
"""

import builtins
from typing import Any, Final, Union

from ruvon.ir._nodes import TypePath, TypeText
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import dotted
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import UnresolvedTypeError, class_path, type_text
from ruvon_dsl._link import ClassTarget, Missing, MissingType, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Unit
from ruvon_dsl.python._lower_values import read_expression
from ruvon_dsl.python._near import near_class
from ruvon_dsl.python._surface import Dotted, Text, Value

__all__ = ["class_of", "text_of_annotation", "type_of"]

_ABSENT: Final = "object"


def type_of(unit: Unit, value: Value) -> TypeText:
    """The canonical text of a type written as an expression or annotation."""
    if unit.lookup is None:
        return " ".join(value.text.split())
    expr = read_expression(unit, value.text, value.span)
    if expr is None:
        return _ABSENT
    found = _evaluate(unit, expr)
    if found is Missing:
        return _unknown(unit, value.text, value.span)
    try:
        return type_text(found)
    except (UnresolvedTypeError, TypeError, AttributeError):
        return _unknown(unit, value.text, value.span)


def text_of_annotation(unit: Unit, annotation: Text | Dotted | None) -> TypeText | None:
    """The type text of an optional annotation."""
    return None if annotation is None else type_of(unit, annotation)


def _unknown(unit: Unit, text: str, span: Span) -> TypeText:
    near = near_class(unit, text)
    unit.findings.error(
        codes.ANNOTATION,
        f"`{' '.join(text.split())}` is not a type that can be resolved here",
        span,
        help="import the class at the top of the module, not only for type checking"
        if near is None
        else f"did you mean `{near}`?",
    )
    return _ABSENT


def _evaluate(unit: Unit, expr: Expr) -> object:
    """The object an annotation's tree stands for, or `Missing`."""
    match expr:
        case e.Const(value=str(text), span=span) if span is not None:
            inner = read_expression(unit, text, span)
            return Missing if inner is None else _evaluate(unit, inner)
        case e.Const(value=None):
            return None
        case e.Name() | e.Attribute():
            return _named(unit, dotted(expr) or "")
        case e.Binary(op="|", left=left, right=right):
            one: Any = _evaluate(unit, left)
            other: Any = _evaluate(unit, right)
            return Missing if one is Missing or other is Missing else Union[one, other]  # noqa: UP007 - values, not types
        case e.Subscript(value=value, index=index):
            return _subscript(unit, value, index)
        case e.List(items=items):
            found = [_evaluate(unit, item) for item in items]
            return Missing if any(item is Missing for item in found) else found
        case _:
            return Missing


def _subscript(unit: Unit, value: Expr, index: Expr) -> object:
    origin: Any = _evaluate(unit, value)
    literal = dotted(value) is not None and (dotted(value) or "").rpartition(".")[2] == "Literal"
    items = index.items if isinstance(index, e.Tuple) else (index,)
    found: list[object] = []
    for item in items:
        if literal and isinstance(item, e.Const):
            found.append(item.value)
        elif literal and isinstance(item, e.Attribute):
            found.append(_named(unit, dotted(item) or ""))
        else:
            found.append(_evaluate(unit, item))
    if origin is Missing or any(item is Missing for item in found):
        return Missing
    try:
        return origin[tuple(found) if len(found) != 1 or isinstance(index, e.Tuple) else found[0]]
    except TypeError:
        return Missing


def _named(unit: Unit, name: str) -> object:
    found: object = unit.lookup(name) if unit.lookup is not None else Missing
    if found is Missing and "." not in name:
        return getattr(builtins, name, Missing)
    return found


def class_of(unit: Unit, name: Dotted) -> TypePath | None:
    """The path of a class named in the source (`except E`, `Retry(on=(E,))`), or None where it is reported."""
    if unit.lookup is None:
        builtin: object = getattr(builtins, name.name, None)
        known = isinstance(builtin, type) and name.name not in unit.names.declared
        return f"builtins:{name.name}" if known else name.name
    found = _named(unit, name.name)
    if isinstance(found, type):
        target = describe(found)
        return target.path if isinstance(target, ClassTarget) else class_path(found)
    message = f"`{name.name}` is not defined" if isinstance(found, MissingType) else f"`{name.name}` is not a class"
    unit.findings.error(codes.EXCEPT_CLASS, message, name.span, help="import the class, or correct its name")
    return None
