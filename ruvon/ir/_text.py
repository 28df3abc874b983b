"""A definition as text, for reading, reviewing and golden tests.

Print-only: YAML is the readable form that has a parser.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, assert_never, cast

from ruvon.ir._labels import label
from ruvon.ir._nodes import (
    Assign,
    Call,
    Compensation,
    Decision,
    Definition,
    Fail,
    Graph,
    Loop,
    Merge,
    Node,
    Parallel,
    RetryPolicy,
    Return,
    Start,
    Try,
    Wait,
)
from ruvon.ir._order import ordered
from ruvon.ir.expr import Expr, print_expr

__all__ = ["duration_text", "print_graph", "print_text"]

_UNITS: Final = (
    (86_400_000_000, "d"),
    (3_600_000_000, "h"),
    (60_000_000, "m"),
    (1_000_000, "s"),
    (1_000, "ms"),
    (1, "us"),
)


def print_text(definition: Definition) -> str:
    """The whole definition: a header line, its options, then the nodes in reading order, nested graphs indented."""
    flags = [name for name, on in (("saga", definition.saga), ("strict_results", definition.strict_results)) if on]
    head = f'workflow {definition.workflow_type} "{definition.workflow_version}"'
    lines = [f"{head} {' '.join(flags)}".rstrip(), f"  state {definition.state}"]
    if definition.result is not None:
        lines.append(f"  result {definition.result}")
    if definition.history is not None or definition.commit.value != "step":
        lines.append(f"  history {definition.history} commit {definition.commit.value}")
    if definition.timeout_us is not None:
        lines.append(f"  timeout {definition.timeout_us}us")
    lines.extend(f"  var {name}: {text}" for name, text in sorted(definition.variables.items()))
    return "\n".join([*lines, *print_graph(definition.graph, 1)]) + "\n"


def print_graph(graph: Graph, depth: int = 0) -> Iterator[str]:
    """The lines of one graph: its entry, then each node with what hangs below it."""
    pad = "  " * depth
    yield f"{pad}entry {graph.entry}"
    for node in ordered(graph):
        yield from _node(node, pad, depth)


def _node(node: Node, pad: str, depth: int) -> Iterator[str]:
    tail = f" -> {node.next}" if node.next is not None else ""
    waits = "" if node.automate_next is not False else " (stops)"
    yield f"{pad}{node.id}: {_head(node)}{tail}{waits}"
    inner = pad + "  "
    match node.action:
        case Decision(routes=routes, default=default):
            yield from (f"{inner}when {print_expr(route.condition)} -> {route.target}" for route in routes)
            yield f"{inner}else -> {default}"
        case Loop(body=body, on_break=on_break):
            if on_break is not None:
                yield f"{inner}break -> {on_break}"
            yield from print_graph(body, depth + 1)
        case Parallel(branches=branches, body=body):
            for branch in branches:
                after = f" after {', '.join(branch.after)}" if branch.after else ""
                out = f" => {print_expr(branch.output)}" if branch.output else ""
                yield f"{inner}branch {branch.label}{' won' if branch.won else ''}{after}{out}"
                yield from print_graph(branch.graph, depth + 2)
            if body is not None:
                yield from print_graph(body, depth + 1)
        case Try(body=body, handlers=handlers, final=final):
            yield from print_graph(body, depth + 1)
            for handler in handlers:
                name = f" as {handler.name}" if handler.name else ""
                yield f"{inner}except {', '.join(handler.classes)}{name}"
                yield from print_graph(handler.graph, depth + 2)
            if final is not None:
                yield f"{inner}finally"
                yield from print_graph(final, depth + 2)
        case _:
            return


def _head(node: Node) -> str:
    match node.action:
        case Assign(target=target, value=value, operation=operation):
            return f"{operation.value.upper()} {print_expr(target)} = {print_expr(value)}"
        case Return(value=value):
            return "RETURN" if value is None else f"RETURN {print_expr(value)}"
        case Fail(error=error, cause=cause):
            reason = f" from {print_expr(cause)}" if cause else ""
            return f"FAIL {print_expr(error)}{reason}" if error else "FAIL again"
        case Decision(injected=injected):
            return "DECISION injected" if injected else "DECISION"
        case Try(saga=saga):
            return "TRY saga" if saga else "TRY"
        case Call() | Wait() | Start() | Loop() | Parallel():
            return " ".join([label(node), *_fields(node.action)])
        case _:
            assert_never(node.action)


def _fields(action: Any) -> Iterator[str]:
    for field in dataclasses.fields(action):
        value: object = getattr(action, field.name)
        items = _items(value)
        nested = field.name in {"body", "branches", "type", "mode", "on_break"}
        if nested or value == field.default or value in ((), None) or items == []:
            continue
        if field.name == "source":
            yield from _fields(value)
        elif field.name in {"args", "config"} and items is not None:
            shown = ", ".join(f"{key}={_text(item)}" for key, item in items)
            yield f"({shown})" if field.name == "args" else f"{{{shown}}}"
        elif field.name in {"function", "child"}:
            yield str(value)
        else:
            name = field.name.removesuffix("_us")
            shown = duration_text(value) if isinstance(value, int) and name != field.name else _text(value)
            yield f"{name}={shown}"


def _text(value: object) -> str:
    match value:
        case str() | bool() | int() | float() | None:
            return str(value)
        case Enum():
            return str(value.value)
        case RetryPolicy() | Compensation() | Merge():
            return f"({' '.join(_fields(value))})"
        case _:
            return _listed(value)


def _listed(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_text(item) for item in cast('tuple[object, ...]', value))}]"
    if (items := _items(value)) is not None:
        return f"({', '.join(f'{key}={_text(item)}' for key, item in items)})"
    return print_expr(cast("Expr", value))


def _items(value: object) -> list[tuple[str, object]] | None:
    """The sorted items of a mapping, None for anything else."""
    return sorted(cast("Mapping[str, object]", value).items()) if isinstance(value, Mapping) else None


def duration_text(microseconds: int) -> str:
    """A duration in the short form that YAML accepts: `1h30m`, `250ms`; `0s` for nothing."""
    parts: list[str] = []
    rest = abs(microseconds)
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return ("-" if microseconds < 0 else "") + ("".join(parts) or "0s")
