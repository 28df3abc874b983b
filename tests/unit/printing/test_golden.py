"""The printed texts of the sample programs, as people read them."""

from pathlib import Path

import pytest

from ruvon.ir import ImportRoots
from ruvon_dsl import compile_file
from ruvon_dsl.printing import to_python, to_yaml
from tests.support.golden import GOLDEN, check_golden

PROGRAMS = Path(__file__).parents[2] / "programs"


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.py")), ids=lambda path: path.stem)
def test_a_program_prints_as_it_is_read(path: Path, request: pytest.FixtureRequest) -> None:
    """Stable names, order and layout in both forms (S3-014)."""
    roots = ImportRoots()
    roots.allow_folder(PROGRAMS)
    regenerate = bool(request.config.getoption("--regen"))
    definition = compile_file(path, roots=roots, cache=False).definitions[-1].definition
    folder = GOLDEN / "printing"
    check_golden(folder / f"{path.stem}.py.txt", to_python(definition, resolve=roots.load), regenerate=regenerate)
    check_golden(folder / f"{path.stem}.yaml.txt", to_yaml(definition, resolve=roots.load), regenerate=regenerate)
