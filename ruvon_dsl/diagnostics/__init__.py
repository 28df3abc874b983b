"""What the findings of the front ends say to people and to machines: the catalogue of codes, and the renderers."""

from ruvon_dsl.diagnostics._catalogue import catalogue, explain, similar_codes
from ruvon_dsl.diagnostics._machine import finding_tree, render_github, render_json, render_sarif
from ruvon_dsl.diagnostics._terminal import Paint, PlainPaint, render_terminal, summary

__all__ = [
    "Paint",
    "PlainPaint",
    "catalogue",
    "explain",
    "finding_tree",
    "render_github",
    "render_json",
    "render_sarif",
    "render_terminal",
    "similar_codes",
    "summary",
]
