"""Findings about calls with `transaction`: their SQL and the commit of the step must be able to share one transaction."""

import inspect

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Call, CommitMode, Definition, Node
from ruvon.models._bodies import is_async
from ruvon_dsl._link._codes import NOT_SHARED
from ruvon_dsl._link._function_text import function_of
from ruvon_dsl._link._resolve import Resolver

__all__ = ["shared_commit_findings"]


def shared_commit_findings(definition: Definition, resolver: Resolver | None) -> list[Diagnostic]:
    """An error for each call with `transaction` that cannot have one; without a resolver, what the graph alone says."""
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Call) and node.action.transaction:
            problem = _problem(definition, node.action, resolver)
            if problem is not None:
                found.append(_finding(node, *problem))
    return found


def _problem(definition: Definition, call: Call, resolver: Resolver | None) -> tuple[str, str] | None:
    """What stands in the way, and what to write instead."""
    name = (call.function or "").rpartition(":")[2]
    function = None if call.function is None or resolver is None else function_of(resolver.known(call.function))
    if call.queue is not None:
        return f"a worker of the queue `{call.queue}` runs it", "leave the queue out"
    if definition.commit is CommitMode.ITERATION:
        return "`commit` is `iteration`, so the step has no commit of its own", "leave `commit` out, or `transaction`"
    if function is not None and not is_async(function):
        return f"`{name}` is an ordinary function, which cannot await its statements", f"write `async def {name}(...)`"
    if function is not None and "context" not in inspect.signature(function).parameters:
        return (
            f"`{name}` takes no `context`, which its statements go through",
            "add the parameter `context: StepContext`",
        )
    return None


def _finding(node: Node, problem: str, remedy: str) -> Diagnostic:
    return Diagnostic(
        code=NOT_SHARED,
        message=f"`{node.id}` cannot share a transaction: {problem}",
        span=node.display.source,
        reason="its SQL and the commit of the step are written together, or not at all",
        help=remedy,
    )
