"""What commands print, and how they end: one place for JSON, tables, colours and exit codes."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NoReturn

import rich_click as click

from ruvon._described import moment

__all__ = [
    "Exit",
    "colour_wanted",
    "fail",
    "maybe_moment",
    "moment",
    "print_json",
    "print_table",
    "secho",
    "shortened",
    "to_json",
]

_LONGEST: Final = 80
"""So much of a text is said again in messages."""


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILURE = 1
    """Findings, a failed workflow, or input that was refused."""
    USAGE = 2
    DATABASE = 3
    NOT_FOUND = 4


def colour_wanted() -> bool:
    """Colours only on a terminal, and never with NO_COLOR (no-color.org) or a dumb terminal."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison] - `>&-`
    return on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def to_json(value: object, *, indent: bool = True) -> str:
    """JSON, indented or on one line; values JSON does not know become their text."""
    import orjson  # noqa: PLC0415  # not for `--help`

    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(value, default=str, option=option).decode()


def maybe_moment(at_us: int | None) -> str | None:
    """`moment` for what may not have happened."""
    return moment(at_us) if at_us is not None else None


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    click.echo(to_json(value))


def secho(text: str, **style: Any) -> None:
    """Print with colour where it is wanted."""
    click.secho(text, color=colour_wanted(), **style)


def print_table(rows: Sequence[Mapping[str, object]], columns: Iterable[str]) -> None:
    """Print rows as aligned columns with a heading; an empty list prints the heading alone."""
    names = list(columns)
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) if cells else len(name) for i, name in enumerate(names)]
    heading = "  ".join(name.replace("_", " ").ljust(width) for name, width in zip(names, widths, strict=True))
    secho(heading.rstrip(), bold=True)
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value) if isinstance(value, int) else to_json(value, indent=False)


def shortened(text: str) -> str:
    """What a user gave, cut for a message where it is longer than any sensible name."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def fail(message: str, code: Exit = Exit.FAILURE) -> NoReturn:
    """Say on standard error what went wrong, and end."""
    click.secho(f"error: {message}", err=True, fg="red", color=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    raise SystemExit(int(code))
