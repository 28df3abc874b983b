"""A table as a bar chart in plain SVG: one bar for each row, lines at the promises, one scale for each unit."""

import math
from html import escape
from typing import Final

from benchmarks.table import Row, Table

__all__ = ["svg"]

_LABEL: Final = 400
_BAR: Final = 360
_SPACE: Final = 24
_WIDTH: Final = _LABEL + _BAR + 170
_WIDE: Final = 50
"""Where the largest value of a unit is so many times the smallest, its scale is logarithmic."""
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.head{font-weight:600;font-size:15px}"
    ".kept{fill:#3a7d44}.missed{fill:#b3402a}.plain{fill:#5b7db1}.promise{stroke:#222;stroke-dasharray:3 2}"
)


class _Scale:
    """How long the bar of a value is."""

    def __init__(self, rows: list[Row]) -> None:
        values = [row.value for row in rows] + [row.limit for row in rows if row.limit is not None]
        self._top = max(values, default=0.0) or 1.0
        above = [value for value in values if value > 0]
        self.is_logarithmic = bool(above) and self._top / min(above) > _WIDE
        self._bottom = min(above) / 2 if self.is_logarithmic else 0.0

    def length(self, value: float) -> float:
        """In pixels."""
        if not self.is_logarithmic:
            return _BAR * max(value, 0.0) / self._top
        if value <= self._bottom:
            return 0.0
        return _BAR * math.log(value / self._bottom) / math.log(self._top / self._bottom)


def svg(table: Table) -> str:
    """The chart of a table."""
    by_unit: dict[str, list[Row]] = {}
    for row in table.rows:
        by_unit.setdefault(row.unit, []).append(row)
    scales = {unit: _Scale(rows) for unit, rows in by_unit.items()}
    parts = [f'<text class="head" x="8" y="22">{escape(table.title)}</text>']
    for place, row in enumerate(table.rows):
        parts += _bar(row, scales[row.unit], 40 + place * _SPACE)
    height = 58 + len(table.rows) * _SPACE
    logarithmic = sorted(unit for unit, scale in scales.items() if scale.is_logarithmic)
    note = "dashed: what is promised" + (f"; logarithmic: {', '.join(logarithmic)}" if logarithmic else "")
    parts.append(f'<text x="8" y="{height - 6}">{escape(note)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(table.title)}</title><style>{_STYLE}</style>"
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _bar(row: Row, scale: _Scale, top: int) -> list[str]:
    kind = "plain" if row.limit is None else "kept" if row.kept else "missed"
    length = scale.length(row.value)
    middle = top + 13
    parts = [
        f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end">{escape(row.name)}</text>',
        f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{max(length, 1):.1f}" height="16"/>',
        f'<text x="{_LABEL + length + 6:.1f}" y="{middle}">{row.value:,.4g} {escape(row.unit)}</text>',
    ]
    if row.limit is not None:
        at = _LABEL + scale.length(row.limit)
        parts.append(f'<line class="promise" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 3}" y2="{top + 19}"/>')
    return parts
