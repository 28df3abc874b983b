"""Findings about types whose values cannot be stored: state, variables, arguments and results."""

from collections.abc import Iterator, Mapping
from typing import Any, Union

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Call, Definition, Node
from ruvon.ir._spans import Span
from ruvon.ir.types import class_kind
from ruvon.ir.types._shape import union_members
from ruvon.ir.types._storable import unstorable
from ruvon_dsl._link._bindings import all_variables
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._targets import Missing

__all__ = ["storage_findings"]


def storage_findings(definition: Definition, resolver: Resolver, span: Span | None) -> list[Diagnostic]:
    """Errors for everything the engine would have to store and cannot.

    Args:
        definition: The finished definition, its variables typed.
        resolver: Where its types are found.
        span: Where the workflow is defined, for what belongs to no node.
    """
    caught = _caught(definition)
    places = all_variables(definition)
    found: dict[str, Diagnostic] = {}
    for name, annotation, where in _stored(definition, resolver, span, places, caught):
        for problem in unstorable(annotation, name):
            message = problem.message
            found.setdefault(message, Diagnostic(code=problem.code, message=message, span=where, help=problem.help))
    return list(found.values())


def _stored(
    definition: Definition,
    resolver: Resolver,
    span: Span | None,
    places: Mapping[str, Span | None],
    caught: frozenset[str],
) -> Iterator[tuple[str, object, Span | None]]:
    yield "state", resolver.type_of(definition.state, span), span
    if definition.result is not None:
        yield "the result", resolver.type_of(definition.result, span), span
    for name, text in definition.variables.items():
        annotation = resolver.type_of(text, span)
        if name not in caught and annotation is not Any:
            yield name, annotation, places.get(name) or span
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Call) and node.action.function is not None:
            yield from _call(node, node.action, node.action.function, resolver)


def _call(node: Node, call: Call, path: str, resolver: Resolver) -> Iterator[tuple[str, object, Span | None]]:
    target = resolver.callee(path, node.display.source)
    if target is None:
        return
    for parameter in target.parameters:
        if parameter.name in call.args and parameter.annotation is not Missing and parameter.name != "state":
            name = f"{target.name}({parameter.name})"
            yield name, _without_errors(parameter.annotation), node.display.source
    if target.result is not Missing:
        yield f"the result of {target.name}", target.result, node.display.source


def _without_errors(annotation: object) -> object:
    """The type of an argument without the exceptions in it: an error that a body has caught travels as its record."""
    members = [item for item in union_members(annotation) if class_kind(item) != "exception"]
    return Union[tuple(members)] if members else object  # noqa: UP007 - made of what is only known here


def _caught(definition: Definition) -> frozenset[str]:
    """The names that handlers give to errors, which are stored as records."""
    found: set[str] = set()
    for node in walk_nodes(definition.graph):
        handlers = getattr(node.action, "handlers", ())
        found.update(handler.name for handler in handlers if handler.name is not None)
    return frozenset(found)
