"""Objects by path: only what the modules inside the import roots define themselves."""

import sys
from pathlib import Path

import pytest

from ruvon.ir._paths import ImportRefusedError, ImportRoots, ObjectNotFoundError
from ruvon_dsl import compile_source

MODULE = """
import os
import os.path as paths
from datetime import date
from decimal import Decimal
from json import JSONDecodeError
from os import system
from pathlib import Path
from subprocess import run
from types import SimpleNamespace

from pydantic import BaseModel


class Order(BaseModel):
    class Line:
        pass

    @classmethod
    def make(cls):
        return cls()


class Folder(Path):
    pass


def charge(state):
    return {}


LIMIT = 3
PLACES = SimpleNamespace(charge=charge)
HERE = Path(".")
"""


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportRoots:
    """Roots that allow one folder with one module."""
    (tmp_path / "inside_roots.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "inside_roots", raising=False)
    return ImportRoots(folders=[tmp_path])


@pytest.mark.parametrize("name", ["charge", "Order", "Order.Line", "Order.make", "LIMIT"])
def test_what_a_module_defines_is_found(roots: ImportRoots, name: str) -> None:
    """Functions, classes, what a class defines, and constants."""
    assert roots.load(f"inside_roots:{name}") is not None


@pytest.mark.parametrize("name", ["Decimal", "date", "JSONDecodeError"])
def test_plain_values_and_exceptions_may_be_imported(roots: ImportRoots, name: str) -> None:
    """A class of plain values and an exception are harmless wherever they come from."""
    assert isinstance(roots.load(f"inside_roots:{name}"), type)


@pytest.mark.parametrize(
    "name",
    [
        "os",
        "os.system",
        "os.path.exists",
        "os.sys.modules",
        "paths.os.system",
        "system",
        "run",
        "Path",
        "Path.home",
        "SimpleNamespace",
        "Folder.home",
        "Folder.write_text",
        "HERE.unlink",
        "PLACES.charge",
    ],
)
def test_what_a_module_imported_is_refused(roots: ImportRoots, name: str) -> None:
    """Modules, functions and classes from outside of the roots are not reached through a module inside (law 7)."""
    with pytest.raises(ImportRefusedError):
        roots.load(f"inside_roots:{name}")


@pytest.mark.parametrize("name", ["Order.__subclasses__", "__builtins__", "charge.__globals__", "Nothing"])
def test_names_of_python_itself_are_not_found(roots: ImportRoots, name: str) -> None:
    """A name with two underscores in front is never looked up."""
    with pytest.raises((ObjectNotFoundError, ImportRefusedError)):
        roots.load(f"inside_roots:{name}")


@pytest.mark.parametrize(
    "path",
    [
        "ruvon.implementations.encryption._keys:encryption_required",
        "ruvon.implementations.encryption:keys_from_environment",
        "ruvon.ir._paths:ImportRoots.load",
        "ruvon.builder:WorkflowBuilder",
        "ruvon.implementations.persistence.sqlite:SQLitePersistenceProvider",
        "ruvon.db_schema._migrate:config_of",
        "ruvon.db_schema.migrations.env:anything",
        "ruvon.celery_app:app",
        "ruvon.cli._app:app",
    ],
)
def test_what_ruvon_works_with_is_refused(roots: ImportRoots, path: str) -> None:
    """A definition that somebody uploads does not call what opens stores, reads keys or imports."""
    with pytest.raises(ImportRefusedError, match="part of Ruvon"):
        roots.load(path)


@pytest.mark.parametrize("path", ["ruvon.models:TimedOut", "ruvon.models:Won", "ruvon.models:HttpResponse"])
def test_what_ruvon_has_for_workflows_is_found(roots: ImportRoots, path: str) -> None:
    """Its exceptions and the classes of its results."""
    assert isinstance(roots.load(path), type)


def test_what_ruvon_works_with_is_found_where_the_roots_name_its_package() -> None:
    """The functions of a contract suite, for whoever runs it; that `ruvon` itself is a root opens nothing."""
    path = "ruvon.testing.contracts._flows:add"
    assert callable(ImportRoots({"ruvon.testing.contracts"}).load(path))
    for packages in ({"ruvon"}, {"ruvon.testing.contracts._flow"}, {"ruvon.models"}):
        with pytest.raises(ImportRefusedError, match="part of Ruvon"):
            ImportRoots(packages).load(path)


def test_a_module_of_ruvon_that_does_not_exist_is_not_found(roots: ImportRoots) -> None:
    """It is a mistake of the author, not a failure of whoever loads it."""
    with pytest.raises(ObjectNotFoundError, match=r"No module named 'ruvon\.implementations\.nothing'"):
        roots.load("ruvon.implementations.nothing:work")


def test_a_module_that_does_not_exist_is_said_not_to_exist(roots: ImportRoots) -> None:
    """What was deleted is no question of what is allowed."""
    with pytest.raises(ObjectNotFoundError, match="there is no module `never_written`"):
        roots.load("never_written:work")


def test_a_module_that_exists_outside_of_the_roots_is_refused(roots: ImportRoots) -> None:
    """A package that is installed, and not allowed."""
    with pytest.raises(ImportRefusedError, match="`yaml` is not an allowed import root"):
        roots.load("yaml:safe_load")


@pytest.mark.parametrize("function", ["os.system", "run", "inside_roots:os.system", "inside_roots:run"])
def test_a_file_cannot_name_what_its_module_imported(roots: ImportRoots, function: str) -> None:
    """A YAML step whose function is `os.system`, however written, does not compile."""
    text = (
        "workflow_type: W\nworkflow_version: '1'\nmodule: inside_roots\ninitial_state_model: Order\n"
        f"steps:\n  - name: A\n    function: {function}\n    inputs: {{command: ls}}\n"
    )
    found = compile_source(text, kind="yaml", roots=roots).diagnostics

    name = function.rpartition(".")[2].rpartition(":")[2]
    assert {item.code for item in found if f"{name}`" in item.message} & {"RV0358", "RV0823", "RV0824"}
