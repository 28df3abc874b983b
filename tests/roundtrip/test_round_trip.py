"""Law 2: every definition prints to either form and compiles back to the same digest."""

import glob
from pathlib import Path

import pytest
from hypothesis import assume, given

from ruvon.ir import Definition, ImportRoots, digest
from ruvon_dsl import compile_file, compile_source, require, to_python, to_yaml
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import link
from tests.support.workflows import Program, flat_definitions, programs, shop_roots

ROOT = Path(__file__).parents[2]
FILES = sorted(
    [*glob.glob(str(ROOT / "tests/programs/*.py")), *glob.glob(str(ROOT / "tests/programs/*.yaml"))]
    + [*glob.glob(str(ROOT / "examples/*/workflow.py")), *glob.glob(str(ROOT / "examples/*/*.yaml"))]
)


def roots() -> ImportRoots:
    """Everything that the programs, the examples and the generated workflows name."""
    allowed = ImportRoots(packages=set(shop_roots().packages), folders=list(shop_roots().folders))
    allowed.allow_folder(ROOT)
    allowed.allow_folder(ROOT / "tests" / "programs")
    return allowed


def through(form: str, definition: Definition) -> bytes | None:
    """The digest of what a definition's text in a form compiles to."""
    allowed = roots()
    printer = to_python if form == "python" else to_yaml
    text = printer(definition, resolve=allowed.load)
    result = compile_source(text, kind="python" if form == "python" else "yaml", roots=allowed, file=f"printed.{form}")
    errors = [
        f"{item.span}: {item.code}: {item.message}" for item in result.diagnostics if item.severity.value == "error"
    ]
    assert errors == [], text
    return result.definitions[0].digest


@pytest.mark.parametrize("form", ["python", "yaml"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(Path(file).relative_to(ROOT)))
def test_files_survive_either_form(file: str, form: str) -> None:
    """Each program and example, printed and compiled again, is the same workflow."""
    for item in require(compile_file(file, roots=roots(), cache=False)):
        assert through(form, item.definition) == item.digest


def linked(draft: Definition) -> Definition:
    """The draft as the linker makes it; one that its types refuse is no example."""
    result = link(Draft(draft, SourceText("<generated>", "")), roots())
    assume(result.ok)
    assert result.definition is not None
    return result.definition


@pytest.mark.campaign
@pytest.mark.parametrize("form", ["python", "yaml"])
@given(program=programs())
def test_generated_programs_survive_either_form(form: str, program: Program) -> None:
    """Generated structured workflows, printed and compiled again, are the same."""
    definition = linked(program.draft)

    assert through(form, definition) == digest(definition)


@pytest.mark.campaign
@pytest.mark.parametrize("form", ["python", "yaml"])
@given(draft=flat_definitions())
def test_generated_graphs_survive_either_form(form: str, draft: Definition) -> None:
    """Random graphs with backward and crossing edges, and names that are no identifiers, survive too."""
    definition = linked(draft)

    assert through(form, definition) == digest(definition)
