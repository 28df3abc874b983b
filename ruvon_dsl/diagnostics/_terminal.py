"""Findings for a terminal: headline, place, excerpt with carets, reason, help, and the fix as it would read.

The renderer writes plain text and marks what could be coloured through a `Paint`, so that golden files and NO_COLOR get
the same lines as a coloured terminal.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from ruvon.ir import Diagnostic, Severity, Span

__all__ = ["Paint", "PlainPaint", "render_terminal", "summary"]

_NEAR: Final = 2
"""Lines between two marks that are near enough to be shown instead of left out."""


class Paint(Protocol):
    """Colours a piece of text by its role: `error`, `warning`, `note`, `line`, `help`, `title`."""

    def __call__(self, role: str, text: str, /) -> str:
        """The text, with whatever marks the output understands."""
        ...


class PlainPaint:
    """No colour at all."""

    def __call__(self, role: str, text: str, /) -> str:
        """The text as it is."""
        del role
        return text


@dataclass(frozen=True, slots=True)
class _Mark:
    """Carets below one stretch of one line."""

    line: int
    start: int
    end: int
    label: str
    primary: bool


def render_terminal(findings: Iterable[Diagnostic], texts: Mapping[str, str], paint: Paint | None = None) -> str:
    """Render findings with excerpts from `texts` (by file name); a file that is not given gets no excerpt."""
    painter = paint or PlainPaint()
    return "\n".join("\n".join(_finding(item, texts, painter)) + "\n" for item in findings)


def summary(findings: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning (1 with a fix)`; empty when there is nothing to say."""
    items = list(findings)
    parts: list[str] = []
    for severity in Severity:
        count = sum(1 for item in items if item.severity is severity)
        if count:
            parts.append(f"{count} {severity.value}{'s' if count != 1 else ''}")
    fixable = sum(1 for item in items if item.fix)
    return ", ".join(parts) + (f" ({fixable} with a fix)" if fixable else "")


def _finding(item: Diagnostic, texts: Mapping[str, str], paint: Paint) -> Iterator[str]:
    yield paint(item.severity.value, f"{item.severity.value}[{item.code}]") + paint("title", f": {item.message}")
    if item.span is not None:
        yield f"  {paint('line', '-->')} {item.span}"
        yield from _excerpt(item, texts.get(item.span.file, ""), paint)
    if item.reason:
        yield from _note("why", item.reason, paint)
    if item.help:
        yield from _note("help", item.help, paint)
    if item.fix is not None:
        yield from _note("fix", item.fix.title, paint)
        yield from _fixed(item, texts, paint)


def _note(word: str, text: str, paint: Paint) -> Iterator[str]:
    first, *rest = text.splitlines() or [""]
    yield f"   {paint('line', '=')} {paint('help', word)}: {first}"
    yield from (f"     {' ' * len(word)}  {line}".rstrip() for line in rest)


def _excerpt(item: Diagnostic, text: str, paint: Paint) -> Iterator[str]:
    lines = text.splitlines()
    marks = list(_marks(item, lines))
    shown = sorted({mark.line for mark in marks})
    if not shown:
        return
    width = len(str(shown[-1]))
    gutter = paint("line", f"{' ' * width} |")
    yield gutter
    previous = shown[0]
    for number in shown:
        yield from _between(lines, previous, number, width, paint)
        yield _source_line(lines, number, width, paint)
        for mark in (mark for mark in marks if mark.line == number):
            yield f"{gutter} {_carets(mark, lines[number - 1], paint, item.severity)}"
        previous = number
    yield gutter


def _between(lines: list[str], previous: int, number: int, width: int, paint: Paint) -> Iterator[str]:
    """The lines between two marks: shown when they are few, dots otherwise."""
    if number - previous - 1 > _NEAR:
        yield paint("line", "...")
    else:
        yield from (_source_line(lines, between, width, paint) for between in range(previous + 1, number))


def _source_line(lines: list[str], number: int, width: int, paint: Paint) -> str:
    text = lines[number - 1].replace("\t", "    ")
    return f"{paint('line', f'{number:>{width}} |')} {text}".rstrip()


def _marks(item: Diagnostic, lines: list[str]) -> Iterator[_Mark]:
    places = [(item.span, item.label, True), *((related.span, related.label, False) for related in item.related)]
    for span, label, primary in places:
        if span is None or (item.span is not None and span.file != item.span.file):
            continue
        if 0 < span.start.line <= len(lines):
            yield _mark(span, label, lines[span.start.line - 1], primary=primary)


def _mark(span: Span, label: str, line: str, *, primary: bool) -> _Mark:
    end = span.end.column if span.end.line == span.start.line else len(line.rstrip()) + 1
    return _Mark(span.start.line, span.start.column, max(end, span.start.column + 1), label, primary)


def _carets(mark: _Mark, line: str, paint: Paint, severity: Severity) -> str:
    before = _columns(line[: mark.start - 1])
    length = max(1, _columns(line[mark.start - 1 : mark.end - 1]))
    sign = ("^" if mark.primary else "-") * length
    role = severity.value if mark.primary else "note"
    return " " * before + paint(role, f"{sign} {mark.label}".rstrip())


def _columns(text: str) -> int:
    """Cells that a text takes in a terminal: wide characters two, combining ones none, a tab four."""
    cells = 0
    for char in text:
        if char == "\t":
            cells += 4
        elif not unicodedata.combining(char):
            cells += 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
    return cells


def _fixed(item: Diagnostic, texts: Mapping[str, str], paint: Paint) -> Iterator[str]:
    """The lines that the fix changes, as they would read."""
    for edit in item.fix.edits if item.fix else ():
        lines = texts.get(edit.span.file, "").splitlines()
        if not 0 < edit.span.start.line <= len(lines) or edit.span.end.line > len(lines):
            continue
        head = lines[edit.span.start.line - 1][: edit.span.start.column - 1]
        tail = lines[edit.span.end.line - 1][edit.span.end.column - 1 :]
        for offset, line in enumerate((head + edit.text + tail).splitlines()):
            yield f"{paint('line', f'{edit.span.start.line + offset} +')} {line}"
