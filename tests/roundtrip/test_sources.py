"""Every workflow of the repository: source to definition, to either form, to the same definition (law 2)."""

from pathlib import Path

import pytest

from ruvon.ir import Definition, ImportRoots
from ruvon_dsl import compile_file
from tests.support.roundtrip import assert_python, assert_yaml, registered

ROOT = Path(__file__).parents[2]
SUPPORT = ("tests/golden/python", "tests/unit/yaml_front_end/steps")


def _files() -> list[Path]:
    found: list[Path] = []
    for folder in ("tests/programs", "tests/golden/python", "tests/golden/yaml", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".yaml", ".yml"} and not path.name.startswith(("bad", "wrong")):
                text = path.read_text(encoding="utf-8")
                if "@workflow" in text or "workflow_type:" in text:
                    found.append(path)
    return found


def _compiled(path: Path) -> tuple[list[Definition], ImportRoots]:
    roots = ImportRoots()
    roots.allow_folder(path.parent)
    roots.allow_folder(ROOT)
    for folder in SUPPORT:
        roots.allow_folder(ROOT / folder)
    result = compile_file(path, roots=roots, cache=False, step_types=registered)
    if not result.ok:
        pytest.skip(f"{path.name} does not compile by itself: {result.diagnostics[0].message}")
    return [item.definition for item in result.definitions], roots


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
@pytest.mark.parametrize("form", ["python", "yaml"])
def test_a_source_prints_to_the_same_definition(path: Path, form: str) -> None:
    """Printed in either form and compiled again, every definition of a file has the digest it had."""
    definitions, roots = _compiled(path)
    assert definitions
    for definition in definitions:
        (assert_python if form == "python" else assert_yaml)(definition, roots)
