"""A small layered layout: ranks, order, coordinates. Deterministic, and exact enough to be golden-tested.

The classic four steps on one picture at a time, inner pictures first:

1. *ranks*: longest path from the start over the edges that do not lead back;
2. *dummies*: an edge over several ranks gets a bend in each rank between, a back edge runs through the same bends
   upwards;
3. *order*: barycentre sweeps down and up, keeping the best order seen;
4. *coordinates*: each rank is placed as near to its neighbours' centres as the distances allow (pool adjacent
   violators), several sweeps.

A compound box is as large as its parts, laid side by side inside it. All numbers are whole pixels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ruvon.ir.drawing._picture import Box, Edge, Part, Picture

__all__ = ["LaidBox", "LaidEdge", "LaidPart", "Layout", "lay_out"]

CHAR_WIDTH: Final = 7
LINE_HEIGHT: Final = 16
PADDING: Final = 12
GAP_X: Final = 28
GAP_Y: Final = 48
PART_HEAD: Final = 22
MARGIN: Final = 16
_SWEEPS: Final = 8


@dataclass(slots=True)
class LaidPart:
    """A nested picture with its place relative to the box that holds it."""

    title: str
    layout: "Layout"
    x: int
    y: int


@dataclass(slots=True)
class LaidBox:
    """A box with the place of its upper left corner and its size."""

    box: Box
    width: int
    height: int
    parts: list[LaidPart] = field(default_factory=list[LaidPart])
    x: int = 0
    y: int = 0

    @property
    def center(self) -> int:
        """The middle of the box, where edges arrive and leave."""
        return self.x + self.width // 2


@dataclass(slots=True)
class LaidEdge:
    """An edge as the points it runs through, from source to target."""

    edge: Edge
    points: list[tuple[int, int]]


@dataclass(slots=True)
class Layout:
    """A laid out picture: its boxes, edges and outer size, with the origin at its upper left corner."""

    boxes: list[LaidBox]
    edges: list[LaidEdge]
    width: int
    height: int


def lay_out(picture: Picture) -> Layout:
    """Place every box and edge of a picture."""
    boxes = {box.id: _sized(box) for box in picture.boxes}
    grid = _Grid(picture, boxes)
    grid.order()
    grid.place()
    return grid.finish()


def _sized(box: Box) -> LaidBox:
    """Give a box its size; a compound one holds its parts side by side below its heading."""
    if box.shape == "start":
        return LaidBox(box, 14, 14)
    if box.shape == "exit" or (box.shape == "end" and not box.kind):
        return LaidBox(box, max(40, len(box.title) * CHAR_WIDTH + 20), 24)
    head_lines = [box.title, box.detail] if box.detail else [box.title]
    width = max(80, max(len(line) for line in head_lines) * CHAR_WIDTH + 2 * PADDING, len(box.kind) * 6 + 2 * PADDING)
    height = (len(head_lines) + 1) * LINE_HEIGHT + PADDING
    laid = LaidBox(box, width, height)
    if box.parts:
        _hold_parts(laid, box.parts)
    return laid


def _hold_parts(laid: LaidBox, parts: Sequence[Part]) -> None:
    x, tallest = PADDING, 0
    for part in parts:
        layout = lay_out(part.picture)
        inner = max(layout.width, len(part.title) * CHAR_WIDTH + 2 * PADDING)
        laid.parts.append(LaidPart(part.title, layout, x, laid.height))
        shift = (inner - layout.width) // 2
        _move(layout, shift)
        layout.width = inner
        x += inner + PADDING
        tallest = max(tallest, layout.height + PART_HEAD)
    laid.width = max(laid.width, x)
    laid.height += tallest + PADDING


def _move(layout: Layout, dx: int) -> None:
    for box in layout.boxes:
        box.x += dx
    for edge in layout.edges:
        edge.points = [(x + dx, y) for x, y in edge.points]


@dataclass(slots=True)
class _Cell:
    """A place in a rank: a box, or the bend of a long edge."""

    width: int
    box: LaidBox | None
    x: float = 0.0
    above: list["_Cell"] = field(default_factory=list["_Cell"])
    below: list["_Cell"] = field(default_factory=list["_Cell"])


class _Grid:
    """The ranks of one picture while it is laid out."""

    def __init__(self, picture: Picture, boxes: dict[str, LaidBox]) -> None:
        self._picture = picture
        self._boxes = boxes
        self._cells = {name: _Cell(box.width, box) for name, box in boxes.items()}
        self._rank = _ranks(picture)
        self._rows: list[list[_Cell]] = [[] for _ in range(max(self._rank.values(), default=0) + 1)]
        for box in picture.boxes:
            self._rows[self._rank[box.id]].append(self._cells[box.id])
        self._chains: list[tuple[Edge, list[_Cell]]] = [(edge, self._chain(edge)) for edge in picture.edges]

    def _chain(self, edge: Edge) -> list[_Cell]:
        """The cells an edge runs through, downwards; bends are added to the ranks between its ends."""
        upper, lower = (edge.target, edge.source) if self._upwards(edge) else (edge.source, edge.target)
        chain = [self._cells[upper]]
        for rank in range(self._rank[upper] + 1, self._rank[lower]):
            bend = _Cell(8, None)
            self._rows[rank].append(bend)
            chain.append(bend)
        if upper != lower:
            chain.append(self._cells[lower])
        for above, below in pairwise(chain):
            above.below.append(below)
            below.above.append(above)
        return chain

    def _upwards(self, edge: Edge) -> bool:
        return self._rank[edge.source] > self._rank[edge.target]

    def order(self) -> None:
        """Barycentre sweeps; the order with the fewest crossings is kept."""
        best, fewest = [list(row) for row in self._rows], self._crossings()
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            rows = self._rows if down else self._rows[::-1]
            for row in rows:
                place = {id(cell): index for other in self._rows for index, cell in enumerate(other)}
                wish = {id(cell): _barycentre(cell, place, down=down) for cell in row}
                row.sort(key=lambda cell: wish[id(cell)])
            if (count := self._crossings()) < fewest:
                best, fewest = [list(row) for row in self._rows], count
        self._rows = best

    def _crossings(self) -> int:
        total = 0
        for row, following in pairwise(self._rows):
            place = {id(cell): index for index, cell in enumerate(following)}
            ends = [sorted(place[id(cell)] for cell in upper.below if id(cell) in place) for upper in row]
            seen: list[int] = []
            for targets in ends:
                total += sum(1 for target in targets for earlier in seen if earlier > target)
                seen.extend(targets)
        return total

    def place(self) -> None:
        """Find the x of every cell, then the y of every rank."""
        for row in self._rows:
            x = 0.0
            for cell in row:
                cell.x = x + cell.width / 2
                x += cell.width + GAP_X
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for row in self._rows if down else self._rows[::-1]:
                _settle(row, down=down)
        left = min((cell.x - cell.width / 2 for row in self._rows for cell in row), default=0.0)
        y = MARGIN
        for row in self._rows:
            tallest = max((cell.box.height for cell in row if cell.box), default=0)
            for cell in row:
                cell.x = round(cell.x - left + MARGIN)
                if cell.box is not None:
                    cell.box.x = int(cell.x) - cell.box.width // 2
                    cell.box.y = y
            y += tallest + GAP_Y
        self._bottom = y - GAP_Y + MARGIN

    def finish(self) -> Layout:
        """Collect the result: edges as points, and the outer size."""
        tops = [min((cell.box.y for cell in row if cell.box), default=0) for row in self._rows]
        edges = [LaidEdge(edge, self._points(edge, chain, tops)) for edge, chain in self._chains]
        boxes = list(self._boxes.values())
        right = max((box.x + box.width for box in boxes), default=0)
        bends = max((x for laid in edges for x, _ in laid.points), default=0)
        return Layout(boxes, edges, max(right, bends) + MARGIN, self._bottom)

    def _points(self, edge: Edge, chain: list[_Cell], tops: list[int]) -> list[tuple[int, int]]:
        upper, lower = (edge.target, edge.source) if self._upwards(edge) else (edge.source, edge.target)
        first, last = self._boxes[upper], self._boxes[lower]
        if first is last:
            side = first.x + first.width
            return [(side, first.y + 14), (side + 18, first.y + 14), (side + 18, first.y + 30), (side, first.y + 30)]
        start_rank = self._rank[first.box.id]
        points = [(first.center, first.y + first.height)]
        for offset, cell in enumerate(chain[1:-1], start=1):
            points.append((int(cell.x), tops[start_rank + offset]))
            points.append((int(cell.x), self._row_bottom(start_rank + offset)))
        points.append((last.center, last.y))
        return points[::-1] if self._upwards(edge) else points

    def _row_bottom(self, rank: int) -> int:
        return max((cell.box.y + cell.box.height for cell in self._rows[rank] if cell.box), default=0)


def _ranks(picture: Picture) -> dict[str, int]:
    """Longest path over the forward edges; boxes stand in reading order, so one pass in that order is enough."""
    rank = {box.id: 0 for box in picture.boxes}
    forward: dict[str, list[str]] = {box.id: [] for box in picture.boxes}
    for edge in picture.edges:
        if not edge.back:
            forward[edge.source].append(edge.target)
    for box in picture.boxes:
        for target in forward[box.id]:
            rank[target] = max(rank[target], rank[box.id] + 1)
    return rank


def _barycentre(cell: _Cell, place: dict[int, int], *, down: bool) -> float:
    neighbours = cell.above if down else cell.below
    if not neighbours:
        return float(place[id(cell)])
    return sum(place[id(other)] for other in neighbours) / len(neighbours)


def _settle(row: list[_Cell], *, down: bool) -> None:
    """Move a rank towards its neighbours' centres, keeping order and distances (pool adjacent violators)."""
    offsets = _offsets(row)
    wanted = [_wish(cell, down=down) - offset for cell, offset in zip(row, offsets, strict=True)]
    pools: list[tuple[float, int]] = []
    for wish in wanted:
        pools.append((wish, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (later, many), (earlier, few) = pools.pop(), pools.pop()
            pools.append(((later * many + earlier * few) / (many + few), many + few))
    flat = [value for value, count in pools for _ in range(count)]
    for cell, value, offset in zip(row, flat, offsets, strict=True):
        cell.x = value + offset


def _offsets(row: Iterable[_Cell]) -> list[float]:
    offsets: list[float] = []
    previous: _Cell | None = None
    for cell in row:
        gap = 0.0 if previous is None else offsets[-1] + (previous.width + cell.width) / 2 + GAP_X
        offsets.append(gap)
        previous = cell
    return offsets


def _wish(cell: _Cell, *, down: bool) -> float:
    neighbours = cell.above if down else cell.below
    return sum(other.x for other in neighbours) / len(neighbours) if neighbours else cell.x
