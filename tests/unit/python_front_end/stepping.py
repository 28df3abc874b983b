"""A small interpreter of lowered control flow: no persistence, no types, just edges, loops, handlers and expressions.

It is the other side of the differential test: what it does with a graph must be what CPython does with the source.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    AssignOperation,
    Call,
    Decision,
    Fail,
    Graph,
    Loop,
    Node,
    Return,
    Target,
    Try,
)
from ruvon.ir.expr import print_expr
from ruvon.ir.expr._nodes import Expr, Name, Tuple

__all__ = ["Machine", "Outcome"]


@dataclass
class Outcome:
    """How a graph was left: end, break, continue, goto (a node outside), return or raise."""

    kind: str
    value: Any = None


@dataclass
class Machine:
    """Runs one graph with steps given as plain functions."""

    steps: dict[str, Callable[..., Any]]
    names: dict[str, Any]
    state: SimpleNamespace
    variables: dict[str, Any] = field(default_factory=dict)
    handled: list[BaseException] = field(default_factory=list)

    def run(self, graph: Graph) -> Outcome:
        """From the entry until control leaves the graph."""
        target: Target = graph.entry
        while True:
            if target in {END, BREAK, CONTINUE}:
                return Outcome(target.lower())
            if target not in graph.nodes:
                return Outcome("goto", target)
            try:
                found = self.step(graph.nodes[target])
            except BaseException as error:  # noqa: BLE001 - errors are values here
                return Outcome("raise", error)
            if isinstance(found, Outcome):
                if found.kind == "goto" and found.value in graph.nodes:
                    target = found.value
                    continue
                return found
            target = found

    def step(self, node: Node) -> Target | Outcome:
        """One node: the next target, or how the graph is left."""
        follow = node.next or END
        match node.action:
            case Call(function=str(function), args=args, output=output):
                ordered = [args[key] for key in sorted(args)]
                result = self.steps[function](*(self.value(item) for item in ordered))
                self.bind(output, result)
                return follow
            case Assign(target=target, value=value, operation=operation):
                self.assign(target, operation, self.value(value))
                return follow
            case Decision(routes=routes, default=default):
                return next((route.target for route in routes if self.value(route.condition)), default)
            case Return(value=value):
                return Outcome("return", None if value is None else self.value(value))
            case Fail(error=error):
                raise self.handled[-1] if error is None else self.value(error)
            case Loop():
                return self.loop(node.action, follow)
            case Try():
                return self.attempt(node.action, follow)
            case _:
                raise AssertionError(node)

    def value(self, expr: Expr) -> Any:
        """Evaluate by Python itself; the texts come from the generator of the test."""
        return eval(print_expr(expr), {**self.names, "state": self.state, **self.variables})  # noqa: S307

    def bind(self, target: Expr | None, value: Any) -> None:
        """Assign a result."""
        match target:
            case None:
                return
            case Name(id=name):
                self.variables[name] = value
            case Tuple(items=items):
                for item, part in zip(items, value, strict=True):
                    self.bind(item, part)
            case _:
                self.assign(target, AssignOperation.SET, value)

    def assign(self, target: Expr, operation: AssignOperation, value: Any) -> None:
        """Assign or grow."""
        if operation is AssignOperation.SET and isinstance(target, Name | Tuple):
            self.bind(target, value)
            return
        scope = {"state": self.state, **self.variables, "value_": value}
        text = print_expr(target)
        action = f"{text} = value_" if operation is AssignOperation.SET else f"{text}.{operation.value}(value_)"
        exec(action, {**self.names}, scope)  # noqa: S102

    def loop(self, loop: Loop, follow: Target) -> Target | Outcome:
        """Turns until the list or the condition ends, or the body leaves."""
        items = iter(list(self.value(loop.over))) if loop.over is not None else None
        collected: list[Any] = []
        while True:
            if items is not None:
                try:
                    self.bind(loop.item, next(items))
                except StopIteration:
                    break
            elif loop.condition is not None and not self.value(loop.condition):
                break
            left = self.run(loop.body)
            if left.kind == "break":
                return loop.on_break or follow
            if left.kind not in {"end", "continue"}:
                return left
            collected.append(left.value)
        return follow

    def attempt(self, attempt: Try, follow: Target) -> Target | Outcome:
        """Body, the handler that fits, `finally`."""
        left = self.run(attempt.body)
        if left.kind == "raise":
            left = self.handle(attempt, left)
        if attempt.final is not None:
            last = self.run(attempt.final)
            if last.kind == "raise":
                left = last
        if left.kind == "raise":
            raise left.value
        if left.kind in {"break", "continue"}:
            return left.kind.upper()
        return follow if left.kind == "end" else left

    def handle(self, attempt: Try, left: Outcome) -> Outcome:
        """The first handler that names a class of the error."""
        names = {cls.__name__ for cls in type(left.value).__mro__}
        for handler in attempt.handlers:
            if names & {path.rpartition(":")[2] for path in handler.classes}:
                if handler.name is not None:
                    self.variables[handler.name] = left.value
                self.handled.append(left.value)
                found = self.run(handler.graph)
                self.handled.pop()
                return found
        return left
