"""Two files that define one type and version differently are an error that names both; equal ones may lie side by side."""

from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import DefinitionError
from ruvon_dsl import compile_file, require, to_python

WAITING = """\
workflow_type: Waiting
automate_next: true
steps:
  - {name: Pause, type: SLEEP, duration: DURATION}
"""


def _write(folder: Path, name: str, duration: str, version: str = "1.0.0") -> Path:
    path = folder / name
    path.write_text(f'workflow_version: "{version}"\n' + WAITING.replace("DURATION", duration))
    return path


def test_two_files_that_differ_are_refused(tmp_path: Path) -> None:
    """The error names both files, whichever was found first."""
    first, second = _write(tmp_path, "one.yaml", "1h"), _write(tmp_path, "two.yaml", "2h")
    builder = WorkflowBuilder(plugins=False)
    builder.register(first, second)
    with pytest.raises(DefinitionError) as caught:
        builder.get_definition("Waiting")
    assert [item.code for item in caught.value.diagnostics] == ["RV0136"]
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_they_are_refused_again(tmp_path: Path) -> None:
    """A second question gets the same answer, not one of the two."""
    _write(tmp_path, "one.yaml", "1h")
    _write(tmp_path, "two.yaml", "2h")
    builder = WorkflowBuilder(tmp_path, plugins=False)
    for _ in range(2):
        with pytest.raises(DefinitionError, match="defined twice"):
            builder.registered_types()
    with pytest.raises(DefinitionError, match="defined twice"):
        builder.get_definition("Waiting")


def test_a_compiled_definition_and_a_file_that_differ_are_refused(tmp_path: Path) -> None:
    """What was compiled by hand knows its file too."""
    (compiled,) = require(compile_file(_write(tmp_path, "one.yaml", "1h")))
    builder = WorkflowBuilder(plugins=False)
    builder.register(compiled, _write(tmp_path, "two.yaml", "2h"))
    with pytest.raises(DefinitionError, match="defined twice"):
        builder.get_definition("Waiting")


def test_equal_definitions_may_lie_side_by_side(tmp_path: Path) -> None:
    """A YAML file, its copy, and the Python file printed from it are one definition."""
    (compiled,) = require(compile_file(_write(tmp_path, "one.yaml", "1h")))
    _write(tmp_path, "two.yaml", "60m")
    (tmp_path / "equal_waiting.py").write_text(to_python(compiled.definition))
    builder = WorkflowBuilder(tmp_path, plugins=False)
    assert builder.registered_types() == ["Waiting"]
    assert builder.get_definition("Waiting") == compiled.definition


def test_two_versions_are_two_definitions(tmp_path: Path) -> None:
    """The same type in another version clashes with nothing."""
    _write(tmp_path, "one.yaml", "1h")
    _write(tmp_path, "two.yaml", "2h", "2.0.0")
    builder = WorkflowBuilder(tmp_path, plugins=False)
    assert builder.registered_types() == ["Waiting"]


def test_a_file_with_mistakes_that_names_the_type_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """A sound type is found beside a file that merely mentions it and is broken itself."""
    _write(tmp_path, "one.yaml", "1h")
    (tmp_path / "two.yaml").write_text("workflow_type: Broken  # after Waiting\nsteps: 5\n")
    builder = WorkflowBuilder(tmp_path, plugins=False)
    assert builder.get_definition("Waiting").workflow_type == "Waiting"
