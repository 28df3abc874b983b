"""Drawings of a definition: SVG, Mermaid, DOT and terminal text, all from one picture and all deterministic."""

from ruvon.ir.drawing._dot import to_dot
from ruvon.ir.drawing._layout import LaidBox, LaidEdge, Layout, lay_out
from ruvon.ir.drawing._mermaid import to_mermaid
from ruvon.ir.drawing._picture import Box, Edge, Part, Picture, picture
from ruvon.ir.drawing._svg import to_svg
from ruvon.ir.drawing._terminal import to_terminal

__all__ = [
    "Box",
    "Edge",
    "LaidBox",
    "LaidEdge",
    "Layout",
    "Part",
    "Picture",
    "lay_out",
    "picture",
    "to_dot",
    "to_mermaid",
    "to_svg",
    "to_terminal",
]
