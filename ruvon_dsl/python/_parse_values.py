"""Expressions of libcst to surface values: calls, awaits and comprehensions taken apart, everything else as text."""

from collections.abc import Iterator
from typing import Literal

import libcst as cst

from ruvon.ir._spans import Position, Span
from ruvon_dsl.python._fates import CST_FATES
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import (
    Argument,
    Awaiting,
    Choice,
    Clause,
    Dotted,
    Each,
    EitherOr,
    Invocation,
    Member,
    Text,
    Value,
)

__all__ = ["read_dotted", "read_text", "read_value"]

_CONDITIONAL = (
    cst.BooleanOperation,
    cst.IfExp,
    cst.ListComp,
    cst.SetComp,
    cst.DictComp,
    cst.GeneratorExp,
    cst.Lambda,
)


def read_value(source: Source, node: cst.BaseExpression) -> Value:
    """The surface value of any expression."""
    match node:
        case cst.TemplatedString():
            return _refused(source, node)
        case cst.Name() | cst.Attribute():
            return read_dotted(source, node) or _member(source, node)
        case cst.Await():
            span = source.span(node)
            return Awaiting(read_value(source, node.expression), source.slice(span), span)
        case cst.Call():
            return _call(source, node)
        case cst.ListComp():
            return _each(source, node, "list")
        case cst.GeneratorExp():
            return _each(source, node, "generator")
        case cst.BooleanOperation(right=cst.Await()):
            return _either(source, node)
        case cst.IfExp() if isinstance(node.body, cst.Await) or isinstance(node.orelse, cst.Await):
            return _choice(source, node)
        case _:
            return read_text(source, node)


def read_dotted(source: Source, node: cst.BaseExpression) -> Dotted | None:
    """A name or a chain of attributes on one; None for anything else."""
    parts: list[str] = []
    inner = node
    while isinstance(inner, cst.Attribute):
        parts.append(inner.attr.value)
        inner = inner.value
    if not isinstance(inner, cst.Name) or inner.value in {"True", "False", "None"}:
        return None
    span = source.span(node)
    return Dotted((inner.value, *reversed(parts)), source.slice(span), span)


def _refused(source: Source, node: cst.BaseExpression) -> Text:
    """An expression of a refused kind; the empty text says that it was reported."""
    fate = CST_FATES[type(node).__name__]
    span = source.span(node)
    source.findings.error(fate.code, fate.message, span, help=fate.help, reason=fate.reason)
    return Text("", span)


def _member(source: Source, node: cst.Name | cst.Attribute) -> Value:
    if not isinstance(node, cst.Attribute) or not isinstance(node.value, cst.Call):
        return read_text(source, node)
    span = source.span(node)
    text = source.slice(span)
    return Member(read_value(source, node.value), node.attr.value, text, span, _inside(source, node, text))


def read_text(source: Source, node: cst.BaseExpression) -> Text:
    """An expression as text; a generator without parentheses of its own gets them."""
    span = source.span(node)
    text = source.slice(span)
    if isinstance(node, cst.GeneratorExp) and not node.lpar:
        text = f"({text})"
        start = Position(span.start.line, max(1, span.start.column - 1))
        span = Span(span.file, start, span.end)
    if "await" not in text:
        return Text(text, span)
    found = list(_awaits(node, always=True))
    inside = tuple(_awaiting(source, item) for item, _ in found)
    return Text(text, span, inside, hoistable=all(always for _, always in found))


def _awaiting(source: Source, node: cst.Await) -> Awaiting:
    span = source.span(node)
    return Awaiting(read_value(source, node.expression), source.slice(span), span)


def _awaits(node: cst.CSTNode, *, always: bool) -> Iterator[tuple[cst.Await, bool]]:
    """The outermost awaits inside a node, each with whether it runs whenever the node is evaluated."""
    if isinstance(node, cst.Await):
        yield node, always
        return
    several = isinstance(node, cst.Comparison) and len(node.comparisons) > 1
    always = always and not several and not isinstance(node, _CONDITIONAL)
    for child in _parts(node):
        yield from _awaits(child, always=always)


def _parts(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for name in node.__dataclass_fields__:
        found: object = getattr(node, name)
        if isinstance(found, cst.CSTNode):
            yield found
        elif isinstance(found, list | tuple):
            items: list[object] = list(found)  # pyright: ignore[reportUnknownArgumentType]
            yield from (item for item in items if isinstance(item, cst.CSTNode))


def _inside(source: Source, node: cst.CSTNode, text: str) -> tuple[Awaiting, ...]:
    if "await" not in text:
        return ()
    found = [item for child in _parts(node) for item, _ in _awaits(child, always=True)]
    return tuple(_awaiting(source, item) for item in found)


def _call(source: Source, node: cst.Call) -> Invocation:
    span = source.span(node)
    text = source.slice(span)
    function = read_value(source, node.func)
    args = tuple(_argument(source, arg) for arg in node.args)
    return Invocation(function, args, text, span, _inside(source, node, text))


def _argument(source: Source, arg: cst.Arg) -> Argument:
    value = read_value(source, arg.value)
    keyword = arg.keyword.value if arg.keyword is not None else None
    star: Literal["", "*", "**"] = "*" if arg.star == "*" else "**" if arg.star == "**" else ""
    span = source.span(arg.keyword).to(value.span) if arg.keyword is not None else value.span
    return Argument(value, span, keyword, star)


def _each(source: Source, node: cst.ListComp | cst.GeneratorExp, kind: Literal["list", "generator"]) -> Value:
    plain = read_text(source, node)
    clauses: list[Clause] = []
    loop: cst.CompFor | None = node.for_in
    while loop is not None:
        if loop.asynchronous is not None:
            return plain
        tests = tuple(read_value(source, test.test) for test in loop.ifs)
        clauses.append(Clause(read_text(source, loop.target), read_value(source, loop.iter), tests))
        loop = loop.inner_for_in
    element = read_value(source, node.elt)
    return Each(kind, element, tuple(clauses), plain.text, plain.span, _inside(source, node, plain.text))


def _either(source: Source, node: cst.BooleanOperation) -> Value:
    left = read_value(source, node.left)
    right = read_value(source, node.right)
    if not isinstance(right, Awaiting) or "await" in left.text:
        return read_text(source, node)
    span = source.span(node)
    op: Literal["or", "and"] = "or" if isinstance(node.operator, cst.Or) else "and"
    return EitherOr(op, left, right, source.slice(span), span)


def _choice(source: Source, node: cst.IfExp) -> Value:
    test = read_value(source, node.test)
    body, orelse = read_value(source, node.body), read_value(source, node.orelse)
    plain = [part for part in (test, body, orelse) if not isinstance(part, Awaiting)]
    if any("await" in part.text for part in plain):
        return read_text(source, node)
    span = source.span(node)
    return Choice(test, body, orelse, source.slice(span), span)
