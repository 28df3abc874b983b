"""Simple statements to the surface, and blocks of any statements.

A statement outside the subset is reported by its fate and becomes `Refused`, so that everything after it is still
looked at.
"""

from collections.abc import Sequence

import libcst as cst

from ruvon.ir._spans import Span
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._fates import CST_FATES
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._parse_values import read_dotted, read_text, read_value
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Augmented,
    Discarded,
    Dotted,
    Jump,
    Passing,
    Raising,
    Refused,
    Returning,
    Statement,
    Text,
)

__all__ = ["read_small", "read_target", "refuse", "target_names"]

_TEXTS = cst.SimpleString | cst.ConcatenatedString


def read_small(source: Source, node: cst.BaseSmallStatement) -> Statement:
    """The surface of one simple statement."""
    span = source.span(node)
    match node:
        case cst.Pass():
            return Passing(span)
        case cst.Break():
            return Jump("break", span)
        case cst.Continue():
            return Jump("continue", span)
        case cst.Return(value=value):
            return Returning(None if value is None else read_value(source, value), span)
        case cst.Raise():
            return _raise(source, node, span)
        case cst.Expr(value=value):
            return _expression(source, value, span)
        case cst.Assign():
            return _assign(source, node, span)
        case cst.AnnAssign():
            return _annotated(source, node, span)
        case cst.AugAssign():
            return _augmented(source, node, span)
        case _:
            return refuse(source, node, span)


def refuse(source: Source, node: cst.CSTNode, span: Span) -> Refused:
    """Report a kind whose fate is `refused`."""
    fate = CST_FATES[type(node).__name__]
    source.findings.error(fate.code, fate.message, span, help=fate.help, reason=fate.reason)
    return Refused(span, _bound_by(node))


def _bound_by(node: cst.CSTNode) -> tuple[str, ...]:
    match node:
        case cst.ClassDef(name=name) | cst.FunctionDef(name=name):
            return (name.value,)
        case cst.Import(names=names):
            return tuple(_alias_name(item) for item in names)
        case cst.ImportFrom(names=names) if not isinstance(names, cst.ImportStar):
            return tuple(_alias_name(item) for item in names)
        case cst.Global(names=names) | cst.Nonlocal(names=names):
            return tuple(item.name.value for item in names)
        case _:
            return ()


def _alias_name(item: cst.ImportAlias) -> str:
    if item.asname is not None and isinstance(item.asname.name, cst.Name):
        return item.asname.name.value
    name: cst.BaseExpression = item.name
    while isinstance(name, cst.Attribute):
        name = name.value
    return name.value if isinstance(name, cst.Name) else ""


def _raise(source: Source, node: cst.Raise, span: Span) -> Statement:
    cause = node.cause.item if node.cause is not None else None
    return Raising(
        None if node.exc is None else read_value(source, node.exc),
        None if cause is None else read_value(source, cause),
        span,
    )


def _expression(source: Source, value: cst.BaseExpression, span: Span) -> Statement:
    match value:
        case cst.SimpleString() | cst.ConcatenatedString() | cst.Ellipsis():
            return Passing(span)
        case cst.Yield():
            return refuse(source, value, span)
        case _:
            return Discarded(read_value(source, value), span)


def _assign(source: Source, node: cst.Assign, span: Span) -> Statement:
    if isinstance(node.value, cst.Yield):
        refuse(source, node.value, source.span(node.value))
        return Refused(span, tuple(name for item in node.targets for name in target_names(item.target)))
    if len(node.targets) > 1:
        return _chained(source, node, span)
    target = read_target(source, node.targets[0].target)
    if target is None:
        return Refused(span, target_names(node.targets[0].target))
    return Assigned(target, read_value(source, node.value), span)


def _chained(source: Source, node: cst.Assign, span: Span) -> Statement:
    spans = [source.span(item.target) for item in node.targets]
    value = source.slice(source.span(node.value))
    first = source.slice(spans[-1])
    indent = " " * (span.start.column - 1)
    lines = [f"{first} = {value}", *(f"{source.slice(item)} = {first}" for item in spans[:-1])]
    source.findings.error(
        codes.CHAINED,
        "one value is assigned to several targets at once",
        span,
        help="; ".join(lines),
        reason="both names would share one object, which storing takes apart",
        fix=edit_fix("write one assignment for each target", (span, f"\n{indent}".join(lines))),
    )
    return Refused(span, tuple(name for item in node.targets for name in target_names(item.target)))


def _annotated(source: Source, node: cst.AnnAssign, span: Span) -> Statement:
    target = read_target(source, node.target)
    if target is None:
        return Refused(span, target_names(node.target))
    annotation = node.annotation.annotation
    read = read_dotted(source, annotation) or read_text(source, annotation)
    return Annotated(target, read, None if node.value is None else read_value(source, node.value), span)


def _augmented(source: Source, node: cst.AugAssign, span: Span) -> Statement:
    target = read_target(source, node.target)
    op = source.slice(source.span(node.operator)).strip().removesuffix("=")
    if target is None:
        return Refused(span)
    return Augmented(target, op, read_value(source, node.value), span)


def read_target(source: Source, node: cst.BaseExpression) -> Text | Dotted | None:
    """An assignment target; what cannot be one is reported and gives None."""
    match node:
        case cst.Name() | cst.Attribute():
            return read_dotted(source, node) or read_text(source, node)
        case cst.Subscript():
            return read_text(source, node)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            return read_text(source, node) if _elements_fit(source, elements) else None
        case _:
            message = f"`{source.slice(source.span(node))}` is not a target that a workflow can assign to"
            source.findings.error(
                codes.TARGET,
                message,
                source.span(node),
                help="assign to a name, a field of `state` or a path below one",
            )
            return None


def _elements_fit(source: Source, elements: Sequence[cst.BaseElement]) -> bool:
    fits = True
    for element in elements:
        if isinstance(element, cst.StarredElement):
            span = source.span(element)
            source.findings.error(
                codes.STARRED_TARGET,
                f"the starred target `{source.slice(span)}` is not in the language",
                span,
                help="assign the whole value to a name and slice it: `first = xs[0]`, `rest = xs[1:]`",
            )
            fits = False
        else:
            fits = read_target(source, element.value) is not None and fits
    return fits


def target_names(node: cst.BaseExpression) -> tuple[str, ...]:
    """The plain names that a target would bind."""
    match node:
        case cst.Name(value=value):
            return (value,)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            return tuple(name for element in elements for name in target_names(element.value))
        case _:
            return ()
