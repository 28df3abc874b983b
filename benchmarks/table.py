"""One way to print what was measured: the figure, its yardstick in the same run, the ratio, and the promise."""

from dataclasses import dataclass

__all__ = ["Row", "show"]


@dataclass(frozen=True)
class Row:
    """One measurement beside its yardstick; `limit` is what the project promises (smaller is better unless `more`)."""

    name: str
    value: float
    unit: str
    yardstick: str
    base: float
    limit: float | None = None
    more: bool = False

    @property
    def ratio(self) -> float:
        """How many times the yardstick."""
        return self.value / self.base if self.base else float("inf")


def show(title: str, rows: list[Row]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for row in rows:
        kept = "" if row.limit is None else ("kept" if (row.value >= row.limit) == row.more or row.value == row.limit else "MISSED")
        promise = "" if row.limit is None else f"promise {'≥' if row.more else '≤'} {row.limit:g} {row.unit}: {kept}"
        print(f"  {row.name:<46} {row.value:>12,.2f} {row.unit:<8} {row.ratio:>9.2f} x {row.yardstick:<24} {promise}")
