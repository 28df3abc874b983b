"""Findings about timeouts that cannot pass: an ordinary function holds the event loop until it returns."""

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._nodes import Call, Definition, Node
from ruvon.models._bodies import is_async
from ruvon_dsl._link._codes import IDLE_TIMEOUT
from ruvon_dsl._link._function_text import function_of
from ruvon_dsl._link._resolve import Resolver

__all__ = ["idle_timeouts"]


def idle_timeouts(definition: Definition, resolver: Resolver) -> list[Diagnostic]:
    """A warning for each ordinary function that is run with a timeout, at the first node that does."""
    found: dict[str, list[Node]] = {}
    for node in walk_nodes(definition.graph):
        match node.action:
            case Call(function=str() as path, timeout_us=int(), queue=None) if _holds_the_loop(resolver.known(path)):
                found.setdefault(path, []).append(node)
            case _:
                continue
    return [_warning(path.rpartition(":")[2], nodes) for path, nodes in found.items()]


def _holds_the_loop(found: object) -> bool:
    declared: object = getattr(found, "__ruvon_step__", None)
    function = function_of(found)
    return function is not None and not is_async(function) and not getattr(declared, "blocking", False)


def _place(node: Node) -> tuple[int, int]:
    span = node.display.source
    return (span.start.line, span.start.column) if span is not None else (0, 0)


def _warning(name: str, nodes: list[Node]) -> Diagnostic:
    first, *others = sorted(nodes, key=_place)
    related = [Related(node.display.source, "and here") for node in others if node.display.source is not None]
    return Diagnostic(
        code=IDLE_TIMEOUT,
        message=f"the timeout of `{first.id}` has no effect, because `{name}` is an ordinary function",
        span=first.display.source,
        severity=Severity.WARNING,
        related=tuple(related),
        reason="it runs on the event loop, and nothing can interrupt it there",
        help=f"write `async def {name}(...)`, or `@step(blocking=True)`, which runs it in a thread",
    )
