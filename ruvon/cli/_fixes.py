"""Making the fixes that findings offer: each file is rewritten whole or not at all.

A fix is made whole or left out. Two that touch the same place exclude each other; the second is offered again by the
next check, if it is still needed.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ruvon.ir import Diagnostic, Edit

__all__ = ["make_fixes"]

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BOM: Final = "\ufeff"

Change = tuple[int, int, str]
"""Where a text begins and ends that is replaced, as offsets, and what replaces it."""


def make_fixes(findings: "Sequence[Diagnostic]") -> list[str]:
    """Make the fixes of findings in their files, and say of each what was changed; nothing where there is none.

    Raises:
        OSError: a file cannot be written; those before it are written.
    """
    texts: dict[str, str] = {}
    changes: dict[str, list[Change]] = {}
    said: list[str] = []
    for item in findings:
        if item.fix is None or item.span is None:
            continue
        found = _located(item.fix.edits, texts)
        if found is None or any(_meets(change, changes.get(file, ())) for file, change in found):
            continue
        for file, change in found:
            changes.setdefault(file, []).append(change)
        said.append(f"fixed {item.span.file}:{item.span.start.line}: {item.fix.title} ({item.code}: {item.message})")
    for file, accepted in changes.items():
        _replace(Path(file), _applied(texts[file], accepted))
    return said


def _located(edits: "Iterable[Edit]", texts: dict[str, str]) -> list[tuple[str, Change]] | None:
    """The edits as offsets into the texts of their files; None where one of them has no place in a file."""
    found: list[tuple[str, Change]] = []
    for edit in edits:
        file = edit.span.file
        if file not in texts:
            if not Path(file).is_file():
                return None
            texts[file] = Path(file).read_bytes().decode("utf-8")
        starts = list(_line_starts(texts[file]))
        lines = (edit.span.start.line, edit.span.end.line)
        if max(lines) > len(starts):
            return None
        start = starts[lines[0] - 1] + edit.span.start.column - 1
        end = starts[lines[1] - 1] + edit.span.end.column - 1
        found.append((file, (start, end, edit.text)))
    return found


def _line_starts(text: str) -> Iterator[int]:
    yield 1 if text.startswith(_BOM) else 0
    yield from (match.end() for match in _LINE_END.finditer(text))


def _meets(change: Change, others: Iterable[Change]) -> bool:
    return any((change[0] < other[1] and other[0] < change[1]) or change[0] == other[0] for other in others)


def _applied(text: str, changes: Iterable[Change]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _replace(file: Path, text: str) -> None:
    """Put a text in a file's place in one step; a link stays a link, and the file keeps its rights."""
    place = file.resolve()
    handle, draft = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
        shutil.copymode(place, draft)
        Path(draft).replace(place)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
