"""The drawing as SVG: one self-contained file, readable on light and dark pages, with a class per kind and state.

Every node's group has `id="node-..."` and `data-node`, so that a page can colour live states by adding a class
(`running`, `done`, `failed`, `waiting`) without drawing anew.
"""

from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import Final

from ruvon.ir._nodes import Definition
from ruvon.ir.drawing._layout import LINE_HEIGHT, LaidBox, LaidEdge, Layout, lay_out
from ruvon.ir.drawing._picture import picture

__all__ = ["to_svg"]

_STYLE: Final = """
.ruvon{--ink:#1f2933;--soft:#61707f;--line:#9aa5b1;--face:#fff;--page:#f8fafb;--step:#2563eb;--wait:#b45309;--child:#7c3aed;
--decide:#0f766e;--stop:#b91c1c;--end:#15803d;font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){.ruvon{--ink:#e4e7eb;--soft:#9aa5b1;--line:#616e7c;--face:#1f2933;--page:#121920;
--step:#60a5fa;--wait:#fbbf24;--child:#c4b5fd;--decide:#5eead4;--stop:#f87171;--end:#4ade80}}
.ruvon .page{fill:var(--page)}.ruvon text{fill:var(--ink)}.ruvon .kind,.ruvon .detail,.ruvon .word{fill:var(--soft);font-size:10px}
.ruvon .word{paint-order:stroke;stroke:var(--page);stroke-width:4px}.ruvon .name{font-weight:600}.ruvon .frame{fill:var(--face);stroke:var(--line)}.ruvon .part{fill:none;stroke:var(--line);stroke-dasharray:3 3}
.ruvon .step .frame,.ruvon .assign .frame{stroke:var(--step)}.ruvon .wait .frame{stroke:var(--wait)}.ruvon .child .frame{stroke:var(--child)}
.ruvon .decision .frame{stroke:var(--decide)}.ruvon .stop .frame{stroke:var(--stop)}.ruvon .end .frame{stroke:var(--end)}
.ruvon .start circle{fill:var(--ink)}.ruvon .edge{fill:none;stroke:var(--line);stroke-width:1.3}.ruvon .back{stroke-dasharray:5 3}
.ruvon .tip{fill:var(--line)}.ruvon .running .frame{stroke-width:3}.ruvon .done .frame{fill:color-mix(in srgb,var(--end) 18%,var(--face))}
.ruvon .failed .frame{fill:color-mix(in srgb,var(--stop) 22%,var(--face))}.ruvon .waiting .frame{fill:color-mix(in srgb,var(--wait) 18%,var(--face))}
"""


def to_svg(definition: Definition) -> str:
    """Draw a definition as an SVG document; the same definition always gives the same text."""
    layout = lay_out(picture(definition))
    title = escape(f"{definition.workflow_type} {definition.workflow_version}")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ruvon" width="{layout.width}" height="{layout.height}" '
        f'viewBox="0 0 {layout.width} {layout.height}" role="img" aria-label="{title}">'
    )
    tip = '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    defs = f'<defs>{tip}<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
    page = f'<rect class="page" width="{layout.width}" height="{layout.height}"/>'
    body = "\n".join(_layout(layout))
    return f"{head}\n<title>{title}</title>\n<style>{_STYLE}</style>\n{defs}\n{page}\n{body}\n</svg>\n"


def _layout(layout: Layout) -> Iterator[str]:
    arms: Counter[str] = Counter()
    for edge in layout.edges:
        yield from _edge(edge, arms[edge.edge.source])
        arms[edge.edge.source] += 1
    for box in layout.boxes:
        yield from _box(box)


def _edge(laid: LaidEdge, arm: int) -> Iterator[str]:
    """One arrow; the words of neighbouring arms stand at two heights, so that they do not run into each other."""
    css = "edge back" if laid.edge.back else "edge"
    yield f'<path class="{css}" d="{_path(laid.points)}" marker-end="url(#tip)"/>'
    if laid.edge.text:
        (x0, y0), (x1, y1) = laid.points[0], laid.points[1]
        share = 0.42 if arm % 2 == 0 else 0.72
        x, y = round(x0 + (x1 - x0) * share), round(y0 + (y1 - y0) * share)
        yield f'<text class="word" x="{x}" y="{y}" text-anchor="middle">{escape(laid.edge.text)}</text>'


def _path(points: list[tuple[int, int]]) -> str:
    """A line that leaves and arrives upright: each slanted stretch is an S-curve, each upright one a line."""
    x, y = points[0]
    parts = [f"M{x} {y}"]
    for nx, ny in points[1:]:
        middle = (y + ny) // 2
        parts.append(f"L{nx} {ny}" if nx == x or ny == y else f"C{x} {middle} {nx} {middle} {nx} {ny}")
        x, y = nx, ny
    return "".join(parts)


def _box(laid: LaidBox) -> Iterator[str]:
    box = laid.box
    named = f' id="node-{_attribute(box.id)}" data-node="{_attribute(box.id)}"' if "\0" not in box.id else ""
    yield f'<g class="{box.shape}"{named} transform="translate({laid.x} {laid.y})">'
    if box.shape == "start":
        yield '<circle cx="7" cy="7" r="7"/>'
    else:
        yield _frame(laid)
        yield from _words(laid)
    for part in laid.parts:
        yield f'<g transform="translate({part.x} {part.y})">'
        yield f'<rect class="part" width="{part.layout.width}" height="{part.layout.height + 22}" rx="4"/>'
        yield f'<text class="detail" x="8" y="14">{escape(part.title)}</text><g transform="translate(0 22)">'
        yield from _layout(part.layout)
        yield "</g></g>"
    yield "</g>"


def _attribute(text: str) -> str:
    """Escaped for an attribute, where XML would fold line ends and tabs into spaces."""
    return escape(text).replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;")


def _frame(laid: LaidBox) -> str:
    width, height, shape = laid.width, laid.height, laid.box.shape
    if shape == "decision":
        cut = 10
        points = f"{cut},0 {width - cut},0 {width},{height // 2} {width - cut},{height} {cut},{height} 0,{height // 2}"
        return f'<polygon class="frame" points="{points}"/>'
    radius = height // 2 if shape in {"end", "exit"} and height <= 24 else 6
    return f'<rect class="frame" width="{width}" height="{height}" rx="{radius}"/>'


def _words(laid: LaidBox) -> Iterator[str]:
    box, middle = laid.box, laid.width // 2
    if not box.kind:
        yield f'<text class="detail" x="{middle}" y="16" text-anchor="middle">{escape(box.title)}</text>'
        return
    lines = [("kind", box.kind), ("name", box.title), *([("detail", box.detail)] if box.detail else [])]
    for index, (css, text) in enumerate(lines):
        y = 16 + index * LINE_HEIGHT
        yield f'<text class="{css}" x="{middle}" y="{y}" text-anchor="middle">{escape(text)}</text>'
