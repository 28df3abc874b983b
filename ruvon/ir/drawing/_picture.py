"""What a drawing shows, free of any format: boxes, edges and the parts nested in a box.

Edges of the IR never lead into a nested graph, so a compound box (LOOP, PARALLEL, TRY) is a box like any other to the
graph around it, and holds pictures of its own. An edge that leaves a nested graph (BREAK, CONTINUE, a jump out of a TRY)
ends in a small exit mark inside the part, which names where it goes: no line crosses a frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

from ruvon.ir._labels import label
from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    Call,
    Decision,
    Definition,
    Fail,
    Graph,
    HumanSource,
    Loop,
    Node,
    Parallel,
    Return,
    SignalSource,
    Start,
    Target,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir._order import ordered, successors
from ruvon.ir.expr import Expr, print_expr, refs

__all__ = ["Box", "Edge", "Part", "Picture", "Shape", "picture"]

Shape: TypeAlias = Literal["start", "end", "exit", "step", "wait", "child", "assign", "decision", "stop", "compound"]
START_ID: Final = "\0start"
END_ID: Final = "\0end"
_DETAIL_LENGTH: Final = 42


@dataclass(frozen=True, slots=True)
class Part:
    """A picture nested in a box, with the words on its frame."""

    title: str
    picture: "Picture"


@dataclass(frozen=True, slots=True)
class Box:
    """One box: `title` is the node's id (or a mark's word), `kind` its documented step type, `detail` one short line."""

    id: str
    shape: Shape
    title: str
    kind: str = ""
    detail: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two boxes of one picture; `back` says that it leads to an earlier one in reading order."""

    source: str
    target: str
    text: str = ""
    back: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in reading order and the edges between them."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def picture(definition: Definition) -> Picture:
    """The picture of a whole definition, with a start and an end mark."""
    return _Painter(definition.graph, "", END).paint()


class _Painter:
    """Paints one graph; `prefix` keeps the ids of marks unique, `finish` is what its END is called."""

    def __init__(self, graph: Graph, prefix: str, finish: str) -> None:
        self._graph = graph
        self._prefix = prefix
        self._finish = finish
        self._marks: dict[str, Box] = {}
        self._edges: list[Edge] = []

    def paint(self) -> Picture:
        nodes = ordered(self._graph)
        place = {node.id: index for index, node in enumerate(nodes)}
        start = Box(self._prefix + START_ID, "start", "")
        self._edges.append(Edge(start.id, self._to(self._graph.entry)))
        boxes = [start]
        for node in nodes:
            boxes.append(_box(node, self._prefix))
            own = list(_edges(node))
            leaving = [target for target in successors(node, self._graph) if target not in {name for name, _ in own}]
            if leaving and isinstance(node.action, Try):  # what is left behind an error is not where it goes on without
                own = [(target, "else") for target, _ in own]
            for target, text in (*own, *((target, "leaves") for target in leaving)):
                back = target in place and place[target] <= place[node.id]
                self._edges.append(Edge(node.id, self._to(target), text, back))
        return Picture((*boxes, *self._marks.values()), tuple(self._edges))

    def _to(self, target: Target) -> str:
        """The id of the box that an edge to `target` ends at: the node itself or a mark."""
        if target in self._graph.nodes:
            return target
        if target == END:
            mark = Box(self._prefix + END_ID, "end", self._finish)
        else:
            words = {BREAK: "break", CONTINUE: "next turn"}.get(target, f"go to {target}")
            mark = Box(f"{self._prefix}\0exit {target}", "exit", words)
        self._marks.setdefault(mark.id, mark)
        return mark.id


def _edges(node: Node) -> Iterator[tuple[Target, str]]:
    """Where the node leads, each with the words on the arrow."""
    match node.action:
        case Decision(routes=routes, default=default):
            for route in routes:
                yield route.target, _short(route.condition)
            yield default, "else"
        case Loop(on_break=on_break) if on_break is not None and node.next is not None:
            yield node.next, "done"
            yield on_break, "break"
        case _:
            if node.next is not None:
                yield node.next, ""


def _box(node: Node, prefix: str) -> Box:
    shape, detail = _shape(node)
    parts = tuple(_parts(node, f"{prefix}{node.id}/"))
    return Box(node.id, "compound" if parts else shape, node.id, label(node), detail, parts)


def _parts(node: Node, prefix: str) -> Iterator[Part]:
    match node.action:
        case Loop(body=body):
            yield Part("each turn", _Painter(body, prefix + "body", "next turn").paint())
        case Parallel(branches=branches, body=body):
            for branch in branches:
                after = f" after {', '.join(branch.after)}" if branch.after else ""
                yield Part(branch.label + after, _Painter(branch.graph, prefix + branch.label, "joined").paint())
            if body is not None:
                yield Part("each item", _Painter(body, prefix + "body", "joined").paint())
        case Try(body=body, handlers=handlers, final=final, saga=saga):
            yield Part("undone on failure" if saga else "try", _Painter(body, prefix + "body", "done").paint())
            for index, handler in enumerate(handlers):
                classes = ", ".join(path.rpartition(":")[2] for path in handler.classes)
                yield Part(f"except {classes}", _Painter(handler.graph, f"{prefix}except{index}", "done").paint())
            if final is not None:
                yield Part("finally", _Painter(final, prefix + "finally", "done").paint())
        case _:
            return


def _shape(node: Node) -> tuple[Shape, str]:
    """The shape of a node and the one line below its name."""
    match node.action:
        case Call() as call:
            name = (call.function or "").rpartition(":")[2]
            undo = f"undo: {call.compensation.function.rpartition(':')[2]}" if call.compensation else ""
            return "step", " · ".join(part for part in (_unless_same(name, node.id), undo) if part)
        case Wait(source=source, timeout=timeout):
            limit = f" within {_short(timeout)}" if timeout is not None else ""
            return "wait", _wait_detail(source) + limit
        case Start(child=child):
            return "child", _unless_same(child, node.id)
        case Assign(target=target, value=value, operation=operation):
            sign = "=" if operation.value == "set" else operation.value
            return "assign", _cut(f"{print_expr(target)} {sign} {_short(value)}")
        case Decision(injected=injected):
            return "decision", "injected" if injected else ""
        case Loop(over=over, item=item, condition=condition):
            head = f"{_short(item)} in {_short(over)}" if over is not None else f"while {_short(condition)}"
            return "compound", _cut(head)
        case Parallel(over=over, item=item, limit=limit):
            window = f", {_short(limit)} at once" if limit is not None else ""
            return "compound", _cut(f"{_short(item)} in {_short(over)}{window}") if over is not None else ""
        case Try(saga=saga):
            return "compound", "saga scope" if saga else ""
        case Return(value=value):
            return "end", _short(value)
        case Fail(error=error):
            return "stop", _short(error) if error is not None else "the same error again"
        case _:
            assert_never(node.action)


def _wait_detail(source: TimerSource | SignalSource | HumanSource) -> str:
    match source:
        case TimerSource(duration=duration, until=until):
            return f"for {_short(duration)}" if duration is not None else f"until {_short(until)}"
        case SignalSource(model=model):
            return model.rpartition(":")[2]
        case HumanSource(task=task):
            return _short(task)
        case _:
            assert_never(source)


def _unless_same(name: str, node_id: str) -> str:
    return "" if name == node_id else name


def _short(value: Expr | None) -> str:
    """An expression for people: short class names, one line, cut."""
    if value is None:
        return ""
    names = {path: path.rpartition(":")[2] for path in refs(value)}
    return _cut(print_expr(value, names=names))


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _DETAIL_LENGTH else flat[: _DETAIL_LENGTH - 1] + "…"
