"""Findings about the concurrency key of a call: its path begins with an argument of the call, or with the state."""

import difflib
import inspect

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Call, Definition, Node
from ruvon.ir.expr import Call as CallExpr
from ruvon.ir.expr import Const, Dict, Expr, Name, walk
from ruvon_dsl._link._codes import NO_KEY
from ruvon_dsl._link._function_text import function_of
from ruvon_dsl._link._resolve import Resolver

__all__ = ["concurrency_key_findings"]

_STATE = "state"


def concurrency_key_findings(definition: Definition, resolver: Resolver | None) -> list[Diagnostic]:
    """An error for each key that names nothing; without a resolver, for each that is no path."""
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Call) and node.action.concurrency_key is not None:
            problem = _problem(node.action, node.action.concurrency_key, resolver)
            if problem is not None:
                found.append(_finding(node, *problem))
    return found


def _problem(call: Call, key: str, resolver: Resolver | None) -> tuple[str, str] | None:
    """What is wrong with it, and what to write instead."""
    parts = key.split(".")
    if not all(map(str.isidentifier, parts)):
        return f"`{key}` is no path", "write the name of an argument, or a path such as `order.customer`"
    written = _written(call, parts)
    if written is not None and _holds_secret(written):
        return "it would lie in the queue, and has a secret in it", "count by something that may be seen"
    if parts[0] == _STATE or parts[0] in call.args or resolver is None or resolver.opaque:
        return None
    if call.type != "STANDARD":
        return _field_problem(call, parts)
    function = function_of(resolver.known(call.function)) if call.function is not None else None
    if function is None:
        return None  # what is wrong with the function is said elsewhere
    parameters = list(inspect.signature(function).parameters)
    if parts[0] in parameters:
        return None  # left out at this call: the step has no key then
    near = difflib.get_close_matches(parts[0], [*call.args, *parameters, _STATE], n=1)
    known = ", ".join(f"`{name}`" for name in dict.fromkeys([*call.args, *parameters, _STATE]) if name != "context")
    remedy = f"did you mean `{near[0]}`?" if near else f"begin it with one of {known}"
    return f"it has no argument `{parts[0]}`", remedy


def _field_problem(call: Call, parts: list[str]) -> tuple[str, str] | None:
    """What is wrong with the path into a field of a step that calls no function by its arguments."""
    found: Expr | None = call.config.get(parts[0])
    if found is None:
        near = difflib.get_close_matches(parts[0], [*call.config, _STATE], n=1)
        known = ", ".join(f"`{name}`" for name in [*call.config, _STATE] if name.isidentifier())
        return (
            f"it has no field `{parts[0]}`",
            f"did you mean `{near[0]}`?" if near else f"begin it with one of {known}",
        )
    for name in parts[1:]:
        if not isinstance(found, Dict):
            return None
        entries = [str(item.key.value) for item in found.items if isinstance(item.key, Const)]
        found = _entry(found, name)
        if found is None:
            known = ", ".join(f"`{entry}`" for entry in entries)
            return f"`{parts[0]}` has no entry `{name}`", f"its entries are {known}"
    return None


def _written(call: Call, parts: list[str]) -> Expr | None:
    """What the path leads to as far as it is written out, through dictionaries; the rest of it is a part of that."""
    found = call.args.get(parts[0], call.config.get(parts[0]))
    for name in parts[1:]:
        if not isinstance(found, Dict):
            break
        found = _entry(found, name)
    return found


def _entry(given: Dict, name: str) -> Expr | None:
    return next((item.value for item in given.items if item.key == Const(name)), None)


def _holds_secret(expr: Expr) -> bool:
    return any(
        isinstance(part, CallExpr) and isinstance(part.function, Name) and part.function.id == "secret"
        for part in walk(expr)
    )


def _finding(node: Node, problem: str, remedy: str) -> Diagnostic:
    return Diagnostic(
        code=NO_KEY,
        message=f"`{node.id}` cannot be counted by its `concurrency_key`: {problem}",
        span=node.display.source,
        reason="the limit of a key counts the steps whose argument, or whose part of the state, has the same value",
        help=remedy,
    )
