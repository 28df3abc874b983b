"""Findings for a terminal: headline, place, excerpt with carets, reason, help, and the fix as it would read.

The renderer writes plain text and marks what could be coloured through a `Paint`, so that golden files and NO_COLOR get
the same lines as a coloured terminal.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Final, Protocol

from ruvon.ir import Diagnostic, Edit, Severity, Span

__all__ = ["Paint", "PlainPaint", "render_terminal", "summary"]

_NEAR: Final = 2
"""Lines between two marks that are near enough to be shown instead of left out."""
_WIDE: Final = 160
"""Characters of a line that are shown; of a longer one only the part around its first mark."""
_BEFORE: Final = 40
"""Characters of such a line that are shown before the mark."""


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
    lines, marks = _clipped(lines, list(_marks(item, lines)))
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


def _clipped(lines: list[str], marks: list[_Mark]) -> tuple[list[str], list[_Mark]]:
    """The lines with the far ends of very long ones left out around their first mark, and the marks moved along."""
    first: dict[int, int] = {}
    for mark in marks:
        first[mark.line] = min(first.get(mark.line, mark.start), mark.start)
    cut = {number: start - _BEFORE for number, start in first.items() if len(lines[number - 1]) > _WIDE}
    shown = list(lines)
    for number, begin in cut.items():
        text = lines[number - 1]
        left = "..." if begin > 0 else ""
        part = text[max(begin, 0) : max(begin, 0) + _WIDE]
        shown[number - 1] = left + part + ("..." if max(begin, 0) + _WIDE < len(text) else "")
    return shown, [
        _moved(mark, cut[mark.line], len(shown[mark.line - 1])) if mark.line in cut else mark for mark in marks
    ]


def _moved(mark: _Mark, begin: int, length: int) -> _Mark:
    by = begin - len("...") if begin > 0 else 0
    start = min(mark.start - by, length)
    return replace(mark, start=start, end=max(min(mark.end - by, length + 1), start + 1))


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
    """The lines that the fix changes, as they would read after all of its edits; removed ones are marked `-`."""
    edits = item.fix.edits if item.fix else ()
    for file in dict.fromkeys(edit.span.file for edit in edits):
        before = texts.get(file, "")
        after = _applied(before, [edit for edit in edits if edit.span.file == file])
        yield from _changed(before.splitlines(), after.splitlines(), paint)


def _applied(text: str, edits: list[Edit]) -> str:
    """A text with edits made, from its end to its start so that places stay right; edits outside of it are left out."""
    lines = text.splitlines(keepends=True)
    starts = list(accumulate(map(len, lines), initial=0))
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        first, last = edit.span.start, edit.span.end
        if 0 < first.line <= last.line <= len(lines):
            head = text[: starts[first.line - 1] + first.column - 1]
            text = head + edit.text + text[starts[last.line - 1] + last.column - 1 :]
    return text


def _changed(before: list[str], after: list[str], paint: Paint) -> Iterator[str]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "delete":
            yield from (f"{paint('line', f'{number + 1} -')} {before[number]}" for number in range(start, end))
        elif kind != "equal":
            yield from (f"{paint('line', f'{number + 1} +')} {after[number]}" for number in range(new_start, new_end))
