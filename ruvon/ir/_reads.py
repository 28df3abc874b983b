"""The expressions of a node, so that passes that treat all alike need not know every action."""

from collections.abc import Iterator
from typing import assert_never

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import (
    Assign,
    Call,
    Decision,
    Definition,
    Fail,
    HumanSource,
    Loop,
    Node,
    Parallel,
    Return,
    SignalSource,
    Start,
    TimerSource,
    Try,
    Wait,
    WaitSource,
)
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.expr._walk import walk

__all__ = ["expressions_of", "outputs_of", "secrets_of", "values_of"]


def secrets_of(definition: Definition) -> dict[str, str]:
    """The names that `secret("NAME")` is called with anywhere in a definition, each with the first node that does."""
    found: dict[str, str] = {}
    for node in walk_nodes(definition.graph):
        for expr in expressions_of(node):
            for part in walk(expr):
                match part:
                    case e.Call(function=e.Name(id="secret"), args=(e.Const(value=str(name)),)):
                        found.setdefault(name, node.id)
                    case _:
                        continue
    return found


def expressions_of(node: Node) -> Iterator[Expr]:
    """Every expression of the node itself (not of graphs nested in it), targets included."""
    yield from values_of(node)
    yield from outputs_of(node)


def outputs_of(node: Node) -> Iterator[Expr]:
    """The targets that the node assigns to, loop items left out."""
    match node.action:
        case Call(output=output) | Wait(output=output) | Start(output=output) | Loop(output=output):
            yield from _given(output)
        case Assign(target=target):
            yield target
        case Parallel(output=output, branches=branches):
            yield from _given(output)
            for branch in branches:
                yield from _given(branch.output)
        case Decision() | Try() | Return() | Fail():
            return
        case _:
            assert_never(node.action)


def values_of(node: Node) -> Iterator[Expr]:
    """The expressions whose value the node reads."""
    match node.action:
        case Call(args=args, config=config):
            yield from args.values()
            yield from config.values()
        case Wait(source=source, timeout=timeout, on_timeout=on_timeout):
            yield from _source(source)
            yield from _given(timeout, on_timeout)
        case Start() as start:
            yield from _given(start.data, start.key, start.cron, start.timezone, start.schedule_name, start.data_region)
        case Assign(value=value):
            yield value
        case Decision(routes=routes):
            yield from (route.condition for route in routes)
        case Loop(over=over, condition=condition):
            yield from _given(over, condition)
        case Parallel(over=over, limit=limit, batch_size=batch_size, tolerate=tolerate):
            yield from _given(over, limit, batch_size, tolerate)
        case Return(value=value):
            yield from _given(value)
        case Fail(error=error, cause=cause):
            yield from _given(error, cause)
        case Try():
            return
        case _:
            assert_never(node.action)
    for target in outputs_of(node):
        yield from _read_by(target)


def _source(source: WaitSource) -> Iterator[Expr]:
    match source:
        case TimerSource(duration=duration, until=until):
            yield from _given(duration, until)
        case SignalSource(key=key):
            yield from _given(key)
        case HumanSource() as human:
            yield from _given(human.task, human.show, human.role, human.assignee)
            yield from human.ask_args.values()
            yield from human.answer_args.values()


def _read_by(target: Expr) -> Iterator[Expr]:
    """What an assignment to the target reads: the object it goes into, and indices."""
    match target:
        case e.Tuple(items=items):
            for item in items:
                yield from _read_by(item)
        case e.Attribute(value=value):
            yield value
        case e.Subscript(value=value, index=index):
            yield value
            yield index
        case _:
            return


def _given(*exprs: Expr | None) -> Iterator[Expr]:
    return (expr for expr in exprs if expr is not None)
