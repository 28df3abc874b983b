"""The drawing in the DOT language of Graphviz."""

from collections.abc import Iterator
from typing import Final

from ruvon.ir._nodes import Definition
from ruvon.ir.drawing._picture import Box, Picture, Shape, picture

__all__ = ["to_dot"]

_SHAPES: Final[dict[Shape, str]] = {
    "start": "circle",
    "end": "oval",
    "exit": "oval",
    "step": "box",
    "wait": "parallelogram",
    "child": "box3d",
    "assign": "box",
    "decision": "hexagon",
    "stop": "octagon",
    "compound": "box",
}


def to_dot(definition: Definition) -> str:
    """Draw a definition as DOT; a compound box is a cluster, and edges meet it at an invisible anchor."""
    lines = [
        f"digraph {_quoted(definition.workflow_type)} {{",
        '  graph [compound=true, fontname="monospace"];',
        '  node [fontname="monospace", fontsize=11];',
        '  edge [fontname="monospace", fontsize=10];',
        *_picture(picture(definition), "  "),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _picture(drawn: Picture, pad: str) -> Iterator[str]:
    clusters = {box.id for box in drawn.boxes if box.parts}
    for box in drawn.boxes:
        yield from _box(box, pad)
    for edge in drawn.edges:
        options = [f"label={_quoted(edge.text)}"] if edge.text else []
        options += ["style=dashed, constraint=false"] if edge.back else []
        options += [f"ltail={_quoted('cluster ' + edge.source)}"] if edge.source in clusters else []
        options += [f"lhead={_quoted('cluster ' + edge.target)}"] if edge.target in clusters else []
        tail = f" [{', '.join(options)}]" if options else ""
        yield f"{pad}{_quoted(edge.source)} -> {_quoted(edge.target)}{tail};"


def _box(box: Box, pad: str) -> Iterator[str]:
    text = "\n".join(part for part in (box.title, box.kind, box.detail) if part)
    if not box.parts:
        yield f"{pad}{_quoted(box.id)} [shape={_SHAPES[box.shape]}, label={_quoted(text)}];"
        return
    yield f"{pad}subgraph {_quoted('cluster ' + box.id)} {{"
    yield f"{pad}  label={_quoted(text)};"
    yield f'{pad}  {_quoted(box.id)} [shape=point, style=invis, label=""];'
    for part in box.parts:
        yield f"{pad}  subgraph {_quoted(f'cluster {box.id}/{part.title}')} {{"
        yield f"{pad}    label={_quoted(part.title)}; style=dashed;"
        yield from _picture(part.picture, pad + "    ")
        yield f"{pad}  }}"
    yield f"{pad}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\0", "@").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
