"""Which variables need their type written, because the linker would infer another one or none.

A linked definition lists the types of all variables. The printers declare only those that a reader, or the linker, could
not see from what is assigned: a repeated declaration is harmless, a missing one would change the digest.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import cast, get_args

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import (
    Assign,
    AssignOperation,
    Call,
    Definition,
    Graph,
    HumanSource,
    Loop,
    Node,
    Parallel,
    SignalSource,
    Start,
    Try,
    Wait,
)
from ruvon.ir.expr import Call as CallExpr
from ruvon.ir.expr import Const, Expr, FormatString, Name, Ref, Tuple

__all__ = ["bound_by", "built_variables", "declared_variables", "expressions_of"]

_EXPRESSIONS: tuple[type, ...] = get_args(Expr)


def declared_variables(definition: Definition) -> frozenset[str]:
    """The variables whose type is printed."""
    seen: dict[str, list[str | None]] = {}
    for node in walk_nodes(definition.graph):
        for name, text in _bindings(node, definition):
            seen.setdefault(name, []).append(text)
    bound = {name for node in walk_nodes(definition.graph) for name in bound_by(node)}
    return frozenset(
        name
        for name, text in definition.variables.items()
        if name not in bound or any(evident != text for evident in seen.get(name, ()))
    )


def built_variables(definition: Definition) -> frozenset[str]:
    """The variables that are assigned constructor calls of their own class, which YAML writes as mappings."""
    found: set[str] = set()
    for node in walk_nodes(definition.graph):
        match node.action:
            case Assign(target=Name(id=name), value=CallExpr(function=Ref(path=path), args=(), keywords=keywords)):
                if keywords and definition.variables.get(name) == path:
                    found.add(name)
            case _:
                pass
    return frozenset(found)


def _bindings(node: Node, definition: Definition) -> Iterator[tuple[str, str | None]]:
    """The variables that a node binds by name, with the type that is evident at that place."""
    match node.action:
        case Assign(target=Name(id=name), value=value, operation=AssignOperation.SET):
            yield name, _evident(value)
        case Call(output=Name(id=name), function=function, into=into):
            contract = definition.contracts.get(function or "")
            result = into if into is not None else contract.result if contract is not None else None
            if result is not None:
                yield name, result
        case Start(output=Name(id=name), result=result) if result is not None:
            yield name, result
        case Wait(output=Name(id=name), source=SignalSource(model=model), on_timeout=None):
            yield name, model
        case Wait(output=Name(id=name), source=HumanSource(form=form), on_timeout=None) if form is not None:
            yield name, form
        case _:
            return


def _evident(value: Expr) -> str | None:
    match value:
        case Const(value=None):
            return None
        case Const(value=constant):
            return type(constant).__name__
        case FormatString():
            return "str"
        case CallExpr(function=Ref(path=path)):
            return path
        case _:
            return None


def expressions_of(node: Node) -> Iterator[Expr]:
    """All expressions of a node, without those of nested graphs."""
    yield from _expressions(node.action)


def _expressions(value: object) -> Iterator[Expr]:
    if isinstance(value, _EXPRESSIONS):
        yield cast("Expr", value)
    elif isinstance(value, Graph):
        return
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _expressions(item)
    elif isinstance(value, tuple):
        for item in cast("tuple[object, ...]", value):
            yield from _expressions(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _expressions(getattr(value, field.name))


def bound_by(node: Node) -> Iterator[str]:
    """The variables that a node binds, those of nested graphs left out."""
    match node.action:
        case Call(output=output) | Wait(output=output) | Start(output=output) | Assign(target=output):
            yield from _targets(output)
        case Loop(item=item, index=index, output=output):
            yield from _targets(item, output)
            yield from [index] if index else []
        case Parallel(item=item, index=index, output=output, branches=branches):
            yield from _targets(item, output, *(branch.output for branch in branches))
            yield from [index] if index else []
        case Try(handlers=handlers):
            yield from (handler.name for handler in handlers if handler.name)
        case _:
            return


def _targets(*targets: Expr | None) -> Iterator[str]:
    for target in targets:
        match target:
            case Name(id=name):
                yield name
            case Tuple(items=items):
                yield from _targets(*items)
            case _:
                pass
