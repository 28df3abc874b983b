"""Registering Python workflows: mistakes are reported at once, in full."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ruvon import external_workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import DefinitionError
from ruvon_dsl import compile_function

PROGRAM = """\
from pydantic import BaseModel

from ruvon import step, workflow


class Order(BaseModel):
    number: str = ""


@workflow("Registered")
async def flow(state: Order) -> None:
    await ship(NAME)


@step
async def ship(number: str) -> str:
    return number
"""


@pytest.fixture(autouse=True)
def _own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules of a test come from its folder and are gone after it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("registered_"):
            del sys.modules[name]


def workflow_of(folder: Path, name: str, text: str) -> object:
    """The workflow of a module that is imported as applications do."""
    (folder / f"{name}.py").write_text(text)
    return __import__(name).flow


def test_an_invalid_workflow_is_refused_when_it_is_registered(tmp_path: Path) -> None:
    """The error shows the code, the place, the excerpt and the help."""
    flow = workflow_of(tmp_path, "registered_wrong", PROGRAM.replace("NAME", "state.nubmer"))
    with pytest.raises(DefinitionError) as caught:
        WorkflowBuilder(plugins=False).register(flow)

    text = str(caught.value)
    assert text.startswith("the definition has 1 error:\nerror[RV0504]: ")
    assert f"--> {tmp_path / 'registered_wrong.py'}:12:16" in text
    assert "    await ship(state.nubmer)" in text
    assert "= help: did you mean `number`?" in text


def test_a_sound_workflow_is_there_at_once(tmp_path: Path) -> None:
    """What was registered is compiled, so that a later look-up finds it."""
    builder = WorkflowBuilder(plugins=False)
    builder.register(workflow_of(tmp_path, "registered_sound", PROGRAM.replace("NAME", "state.number")))

    assert builder.registered_types() == ["Registered"]


def test_a_workflow_may_be_registered_while_its_module_is_imported(tmp_path: Path) -> None:
    """What stands below the line that registers is not there yet; compiling waits until the type is asked for."""
    text = PROGRAM.replace("NAME", "state.number").replace(
        "\n\n@step", "\n\nBUILDER = WorkflowBuilder(plugins=False)\nBUILDER.register(flow)\n\n\n@step"
    )
    (tmp_path / "registered_early.py").write_text("from ruvon.builder import WorkflowBuilder\n" + text)
    builder: WorkflowBuilder = __import__("registered_early").BUILDER

    assert builder.get_definition("Registered").workflow_type == "Registered"


def test_a_workflow_without_a_body_cannot_be_registered() -> None:
    """An external workflow is somebody else's."""
    with pytest.raises(DefinitionError, match="is no workflow with a body"):
        WorkflowBuilder(plugins=False).register(external_workflow("Elsewhere"))


def in_main(folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The workflow of a file that Python runs."""
    file, module = folder / "script.py", ModuleType("__main__")
    file.write_text(PROGRAM.replace("NAME", "state.number"))
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile(file.read_text(), str(file), "exec"), module.__dict__)  # noqa: S102 - our own text
    return module.__dict__["flow"]


def test_a_workflow_of_main_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where runs are stored, no other process finds what `__main__` defines; in memory nobody looks."""
    flow = in_main(tmp_path, monkeypatch)
    with caplog.at_level(logging.WARNING, "ruvon.builder"):
        WorkflowBuilder(plugins=False).register(flow)
    assert caplog.messages == []

    with caplog.at_level(logging.WARNING, "ruvon.builder"):
        WorkflowBuilder(
            plugins=False, persistence_provider=SQLitePersistenceProvider(str(tmp_path / "runs.db"))
        ).register(flow)
    assert [message.partition(":")[0] for message in caplog.messages] == ["RV0372"]
    assert "move the workflow, its steps and its models into a module" in caplog.messages[0]
    assert [item.code for item in compile_function(flow).diagnostics] == ["RV0372"]
