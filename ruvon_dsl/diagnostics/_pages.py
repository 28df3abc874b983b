"""A page of the catalogue as people read it: the failing program first, without what both programs begin with."""

import re
from typing import Final

from ruvon.ir import CodeInfo

__all__ = ["page_text"]

_BETWEEN: Final = "\n\n\n"
"""What stands between the definitions of a module."""
_DEFINED: Final = re.compile(r"^(?:async def|def|class) (\w+)", re.MULTILINE)
_WORD: Final = re.compile(r"\w+")
_LONGEST: Final = 40
_KEPT: Final = 12


def page_text(code: str, info: CodeInfo) -> str:
    """The page of a code as plain text."""
    common = _common(info.bad, info.good)
    sections = [
        f"{code}: {info.title}",
        f"Gets it:\n\n{_shown(info.bad, common)}",
        info.explanation.strip(),
        f"Does not:\n\n{_shown(info.good, common)}",
    ]
    if common:
        sections.append(f"The whole programs: ruvon explain {code} --json")
    return "\n\n".join(sections) + "\n"


def _common(bad: str, good: str) -> int:
    """How many definitions the two programs begin with alike; one is left to show."""
    first, second = bad.split(_BETWEEN), good.split(_BETWEEN)
    same = 0
    while same < min(len(first), len(second)) - 1 and first[same] == second[same]:
        same += 1
    return same


def _shown(text: str, common: int) -> str:
    """A program, indented: what it begins with is named, and a very long one is cut."""
    parts = text.strip("\n").split(_BETWEEN)
    shown = _BETWEEN.join(parts[common:])
    if common:
        used = set(_WORD.findall(shown))
        names = [name for part in parts[:common] for name in _DEFINED.findall(part) if name in used]
        left_out = f"imports, and the definitions of {', '.join(names)}" if names else "imports"
        shown = f"# {left_out}\n\n{shown}"
    lines = shown.splitlines()
    if len(lines) > _LONGEST:
        lines = [*lines[:_KEPT], f"... ({len(lines) - 2 * _KEPT} more lines)", *lines[-_KEPT:]]
    return "\n".join(f"    {line}".rstrip() for line in lines)
