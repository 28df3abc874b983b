"""Loads a program of the golden folder as a module and lowers it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._text import print_text
from ruvon.ir._verify import verify
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import ModuleLookup
from ruvon_dsl.python import lower_module

__all__ = ["GOLDEN_PYTHON", "drafts_of", "load", "report"]

GOLDEN_PYTHON = Path(__file__).parents[2] / "golden" / "python"


def load(path: Path) -> ModuleType:
    """The module of a file, under its stem."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def drafts_of(path: Path, *, opaque: bool = False) -> list[Draft]:
    """The drafts of a file's workflows."""
    lookup = None if opaque else ModuleLookup(load(path))
    return lower_module(SourceText(path.name, path.read_text(encoding="utf-8")), lookup)


def report(drafts: list[Draft]) -> str:
    """Graph, broken rules and findings, as a golden file holds them."""
    lines: list[str] = []
    for draft in drafts:
        lines.append(print_text(draft.definition).rstrip())
        lines.extend(f"broken rule: {problem}" for problem in verify(draft.definition))
        lines.extend(line for item in draft.diagnostics for line in _finding(item))
        lines.append("")
    return "\n".join(lines)


def _finding(item: Diagnostic) -> list[str]:
    assert item.span is not None
    place = f"{item.span.start.line}:{item.span.start.column}-{item.span.end.line}:{item.span.end.column}"
    lines = [f"{item.severity.value} {item.code} {place} {item.message}"]
    lines.extend(f"    see {other.span.start.line}:{other.span.start.column} {other.label}" for other in item.related)
    if item.help:
        lines.append(f"    help: {item.help}")
    if item.fix is not None:
        lines.append(f"    fix: {item.fix.title}")
        for edit in item.fix.edits:
            start, end = edit.span.start, edit.span.end
            lines.append(f"        {start.line}:{start.column}-{end.line}:{end.column} {edit.text!r}")
    return lines
