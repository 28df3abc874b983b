"""Findings about compensations that nothing in their workflow ever runs."""

from collections.abc import Iterator
from types import FunctionType
from typing import Final

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._nodes import Call, Definition, Fail, Graph, Node, Try, Wait
from ruvon.ir.expr import refs
from ruvon.models import SagaWorkflowException
from ruvon_dsl._draft import Draft
from ruvon_dsl._link._codes import NEVER_UNDONE
from ruvon_dsl._link._function_text import function_of
from ruvon_dsl._link._resolve import Resolver

__all__ = ["idle_compensations"]

_PYTHON: Final = "write `saga=True` in @workflow, or put the steps into `async with saga():`"
_YAML: Final = "write `saga_enabled: true` in the header, or put the steps into a TRY with `saga: true`"


def idle_compensations(draft: Draft, resolver: Resolver) -> list[Diagnostic]:
    """A warning for steps whose compensation no saga of the workflow, and no step that asks for a rollback, can start."""
    definition = draft.definition
    idle = [] if definition.saga else list(_outside_of_sagas(definition.graph))
    if not idle or _asks_for_rollback(definition, resolver):
        return []
    first, *others = idle
    related = [Related(node.display.source, "and this one") for node in others if node.display.source is not None]
    return [
        Diagnostic(
            code=NEVER_UNDONE,
            message=f"`{first.id}` has a compensation, but nothing in this workflow undoes it",
            span=first.display.source or draft.span,
            severity=Severity.WARNING,
            related=tuple(related),
            reason="without a saga an error ends the workflow and leaves standing what the steps have done",
            help=_PYTHON if draft.path is not None else _YAML,
        )
    ]


def _outside_of_sagas(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes.values():
        match node.action:
            case Try(saga=True):
                continue
            case Call(compensation=compensation) | Wait(compensation=compensation) if compensation is not None:
                yield node
            case _:
                for _, inner in graphs_of(node):
                    yield from _outside_of_sagas(inner)


def _asks_for_rollback(definition: Definition, resolver: Resolver) -> bool:
    """Whether a step, or the body itself, may raise `SagaWorkflowException`: its module knows the class."""
    for node in walk_nodes(definition.graph):
        match node.action:
            case Call(function=str() as path):
                function = function_of(resolver.known(path))
                if function is None or _knows(function):
                    return True
            case Fail(error=error) if error is not None and any(map(_is_request, map(resolver.known, refs(error)))):
                return True
            case _:
                continue
    return False


def _knows(function: FunctionType) -> bool:
    names = function.__code__.co_names
    return SagaWorkflowException.__name__ in names or any(map(_is_request, list(function.__globals__.values())))


def _is_request(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, SagaWorkflowException)
