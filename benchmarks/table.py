"""One way to measure and print: the figure, its yardstick in the same run, the ratio, and the promise.

Times are processor times, so that other work on the machine moves them little; on a quiet machine they are what a clock
would show. A yardstick is the bare work that nothing can leave out, so a ratio means the same everywhere.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

__all__ = ["Row", "Table", "microseconds", "milliseconds", "process_milliseconds", "show"]


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

    @property
    def kept(self) -> bool:
        """Whether the promise, if there is one, is kept."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.more else self.value <= self.limit

    @property
    def promise(self) -> str:
        """`≤ 5 ms: kept`; empty where nothing is promised."""
        if self.limit is None:
            return ""
        return f"{'≥' if self.more else '≤'} {self.limit:g} {self.unit}: {'kept' if self.kept else 'MISSED'}"


@dataclass(frozen=True)
class Table:
    """The measurements of one file."""

    title: str
    rows: tuple[Row, ...]

    def tree(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "title": self.title,
            "rows": [{**asdict(row), "ratio": row.ratio, "kept": row.kept} for row in self.rows],
        }

    def markdown(self) -> str:
        """A section with one table."""
        head = f"## {self.title}\n\n| what | value | times | yardstick | promise |\n|---|--:|--:|---|---|\n"
        lines = (
            f"| {row.name.replace('|', chr(92) + '|')} | {row.value:,.2f} {row.unit} | {row.ratio:,.2f} | {row.yardstick} |"
            f" {row.promise} |\n"
            for row in self.rows
        )
        return head + "".join(lines)


def show(title: str, rows: Iterable[Row]) -> Table:
    """Print a table, and give it back for the reports."""
    table = Table(title, tuple(rows))
    width = max((len(row.name) for row in table.rows), default=0)
    print(f"\n{title}")
    for row in table.rows:
        value = f"{row.value:>14,.2f} {row.unit:<8} {row.ratio:>9,.2f} x {row.yardstick:<26}"
        print(f"  {row.name:<{width}} {value} {row.promise}".rstrip())
    return table


def microseconds(work: Callable[[], object], budget_s: float = 0.3) -> float:
    """Processor time of one short call: the best of five rounds."""
    once = max(_cpu(work, 3) / 3, 1e-7)
    number = max(1, int(budget_s / 5 / once))
    return min(_cpu(work, number) for _ in range(5)) / number * 1e6


def milliseconds(work: Callable[[], object], repeat: int = 5) -> float:
    """Processor time of one long call: the best of several; a first one warms up and does not count."""
    work()
    return min(_cpu(work, 1) for _ in range(repeat)) * 1e3


def process_milliseconds(arguments: list[str], environment: dict[str, str], repeat: int = 7) -> float:
    """Processor time of a fresh interpreter: the best of several."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    once()  # writes the bytecode
    return min(once() for _ in range(repeat)) * 1e3


def _cpu(work: Callable[[], object], number: int) -> float:
    start = time.process_time()
    for _ in range(number):
        work()
    return time.process_time() - start
