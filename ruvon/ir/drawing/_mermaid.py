"""The drawing as a Mermaid flowchart, which Git hosts and documentation tools render."""

from collections.abc import Iterator
from typing import Final

from ruvon.ir._nodes import Definition
from ruvon.ir.drawing._picture import Box, Picture, Shape, picture

__all__ = ["to_mermaid"]

_BRACKETS: Final[dict[Shape, tuple[str, str]]] = {
    "start": ("((", "))"),
    "end": ("([", "])"),
    "exit": ("([", "])"),
    "step": ("[", "]"),
    "wait": ("[/", "/]"),
    "child": ("[[", "]]"),
    "assign": ("[", "]"),
    "decision": ("{{", "}}"),
    "stop": (">", "]"),
    "compound": ("[", "]"),
}


def to_mermaid(definition: Definition) -> str:
    """Draw a definition as Mermaid text; the same definition always gives the same text."""
    names = _Names()
    return "\n".join(["flowchart TD", *_picture(picture(definition), names, "  ")]) + "\n"


class _Names:
    """Short ids, because Mermaid's may not hold spaces or words such as `end`."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def of(self, box_id: str) -> str:
        return self._ids.setdefault(box_id, f"n{len(self._ids)}")


def _picture(drawn: Picture, names: _Names, pad: str) -> Iterator[str]:
    for box in drawn.boxes:
        yield from _box(box, names, pad)
    for edge in drawn.edges:
        words = f"|{_quoted(edge.text)}|" if edge.text else ""
        arrow = "-.->" if edge.back else "-->"
        yield f"{pad}{names.of(edge.source)} {arrow}{words} {names.of(edge.target)}"


def _box(box: Box, names: _Names, pad: str) -> Iterator[str]:
    text = "<br/>".join(part for part in (box.title or "start", box.kind, box.detail) if part)
    if not box.parts:
        left, right = _BRACKETS[box.shape]
        yield f"{pad}{names.of(box.id)}{left}{_quoted(text)}{right}"
        return
    yield f"{pad}subgraph {names.of(box.id)}[{_quoted(text)}]"
    for part in box.parts:
        yield f"{pad}  subgraph {names.of(f'{box.id}/{part.title}')}[{_quoted(part.title)}]"
        yield from _picture(part.picture, names, pad + "    ")
        yield f"{pad}  end"
    yield f"{pad}end"


def _quoted(text: str) -> str:
    plain = text.replace("&", "&amp;").replace('"', "&quot;").replace("\n", " ")
    return '"' + plain.replace("<br/>", "\0").replace("<", "&lt;").replace(">", "&gt;").replace("\0", "<br/>") + '"'
