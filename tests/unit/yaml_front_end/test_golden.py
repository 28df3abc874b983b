"""Golden files: each construct as YAML, and beside it the findings and the graph it gives."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._paths import ImportRoots
from ruvon.ir._text import print_text
from ruvon.ir._verify import verify
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import link
from ruvon_dsl.yaml import load_registry
from tests.support.golden import GOLDEN
from tests.unit.yaml_front_end.surroundings import STEPS, lower

FILES = sorted((GOLDEN / "yaml").glob("*.yaml"))
REGISTRIES = sorted((GOLDEN / "yaml" / "registries").glob("*.yaml"))
GOOD = [file for file in FILES if not file.name.startswith("wrong_")]
names = pytest.mark.parametrize


def findings(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """Findings as lines: place, severity, code, message, help."""
    found: list[str] = []
    for item in diagnostics:
        place = f"{item.span.start.line}:{item.span.start.column}" if item.span else "-"
        end = f"-{item.span.end.line}:{item.span.end.column}" if item.span else ""
        found.append(f"{place}{end} {item.severity.value} {item.code}: {item.message}")
        found += [f"    help: {item.help}"] if item.help else []
        found += [f"    fix: {edit.text}" for edit in (item.fix.edits if item.fix else ())]
        found += [
            f"    see {related.span.start.line}:{related.span.start.column} {related.label}" for related in item.related
        ]
    return found


def errors(draft: Draft) -> list[str]:
    """The messages of the errors of a draft."""
    return [item.message for item in draft.diagnostics if item.severity is Severity.ERROR]


@names("file", FILES, ids=lambda file: file.stem)
def test_construct(file: Path, golden: Callable[[Path, str], None]) -> None:
    """Every construct lowers to the graph that is written down (S1-065, S1-067, S3-017, S3-018, S3-062)."""
    parts: list[str] = []
    for draft in lower(file.read_text(), file=file.name):
        parts += [*findings(draft.diagnostics), print_text(draft.definition)]

    golden(file.with_suffix(".txt"), "\n".join(parts))


@names("file", GOOD, ids=lambda file: file.stem)
def test_construct_is_sound(file: Path) -> None:
    """What has no error keeps every rule of the IR and links."""
    for draft in lower(file.read_text(), file=file.name):
        linked = link(draft, ImportRoots(folders=[STEPS]))

        assert errors(draft) == []
        assert verify(draft.definition) == ()
        assert [item.message for item in linked.diagnostics if item.severity is Severity.ERROR] == []
        assert linked.definition is not None


@names("file", GOOD, ids=lambda file: file.stem)
def test_construct_without_import(file: Path) -> None:
    """Without importing anything the same file lowers without errors of its shape."""
    for draft in lower(file.read_text(), file=file.name, opaque=True):
        assert errors(draft) == []
        assert verify(draft.definition) == ()


@names("file", [file for file in FILES if file not in GOOD], ids=lambda file: file.stem)
def test_wrong_file_has_errors(file: Path) -> None:
    """A wrong file never passes: at least one error, each with a code, a place and a message."""
    found = [item for draft in lower(file.read_text(), file=file.name) for item in draft.diagnostics]

    assert any(item.severity is Severity.ERROR for item in found)
    assert all(item.span is not None and item.code.startswith("RV") and item.message for item in found)


@names("file", REGISTRIES, ids=lambda file: file.stem)
def test_registry(file: Path, golden: Callable[[Path, str], None]) -> None:
    """Registry files are read with their aliases, and every mistake is reported."""
    registry = load_registry(SourceText(file.name, file.read_text()), environment={})
    lines = [
        *findings(registry.diagnostics),
        *(str(entry).replace(file.name, "registry") for entry in registry.entries),
    ]

    golden(file.with_suffix(".txt"), "\n".join(lines) + "\n")
