"""Cached definitions and values that files alone do not decide."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ruvon_dsl import CompiledWorkflow, compile_file, compile_function, require
from ruvon_dsl._cache import forget
from ruvon_dsl._draft import SourceText
from ruvon_dsl._taken import taken_from
from ruvon_dsl.python import lower_module

HEAD = """\
import os
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from os import environ

from pydantic import BaseModel

from ruvon import Retry, compensate, external_workflow, step, workflow


class Order(BaseModel):
    number: int = 0


"""
FLOW = """\
{before}

@step{options}
async def ship(number: int) -> int:
    return number


@workflow("Shipping")
async def shipping(state: Order) -> int:
    return await ship({value})
"""


def program(*, before: str = "", options: str = "", value: str = "state.number") -> str:
    """A module with one workflow."""
    return HEAD + FLOW.format(before=before, options=options, value=value)


FROM_OUTSIDE = {
    "constant": program(before='LIMIT = int(os.environ["TAKEN_X"])', value="LIMIT"),
    "by-a-name": program(before='_TEXT = environ.get("TAKEN_X", "0")\nLIMIT = int(_TEXT)', value="LIMIT"),
    "in-a-branch": program(before='LIMIT = 1\nif environ["TAKEN_X"] == "2":\n    LIMIT = 2', value="LIMIT"),
    "own-function": program(
        before='def limit() -> int:\n    return int(environ["TAKEN_X"])\n\n\nLIMIT = limit()', value="LIMIT"
    ),
    "frozen-class": program(
        before='@dataclass(frozen=True)\nclass Rules:\n    limit: int\n\n\nRULES = Rules(int(environ["TAKEN_X"]))',
        value="RULES.limit",
    ),
    "timeout": program(options='(timeout=timedelta(seconds=int(environ["TAKEN_X"])))'),
    "retry": program(
        before='RETRY = Retry(max_attempts=int(environ["TAKEN_X"]) + 1)', options="(retry=RETRY)"
    ),
    "queue": program(options='(queue=environ["TAKEN_X"])'),
}  # fmt: skip
WRITTEN_OUT = {
    "literal": program(before="LIMIT = 3", value="LIMIT"),
    "computed": program(before="_DAY = 24\nLIMIT = 7 * _DAY + len('abc')", value="LIMIT"),
    "decimal": program(before="LIMIT = Decimal('3')", value="int(LIMIT)"),
    "enum": program(before="class Limit(Enum):\n    LOW = 3\n", value="Limit.LOW.value"),
    "options": program(options="(timeout=timedelta(seconds=3), retry=Retry(max_attempts=2), name='Ship it')"),
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own cache folder and leaves `sys.path` as it was."""
    monkeypatch.setenv("RUVON_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])


def compiled(path: Path, *modules: str) -> bytes | None:
    """The digest that a new process would compile."""
    forget()
    for name in (path.stem, *modules):
        sys.modules.pop(name, None)
    return require(compile_file(path))[0].digest


@pytest.mark.parametrize("name", FROM_OUTSIDE)
def test_a_value_from_outside_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A constant or an option that the environment decides makes another definition when that changes."""
    path = tmp_path / f"taken_{name.replace('-', '_')}.py"
    path.write_text(FROM_OUTSIDE[name])
    found: list[bytes | None] = []
    for value in ("1", "2", "2"):
        monkeypatch.setenv("TAKEN_X", value)
        found.append(compiled(path))

    assert found[0] != found[1] == found[2]


def test_an_unchanged_value_from_outside_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is imported to compare, and the definition comes from the cache."""
    monkeypatch.setenv("TAKEN_X", "1")
    path = tmp_path / "taken_again.py"
    path.write_text(FROM_OUTSIDE["constant"])
    compiled(path)
    (entry,) = sorted((tmp_path / "cache").rglob("*.json"))
    before = entry.stat().st_mtime_ns
    compiled(path)

    assert entry.stat().st_mtime_ns == before
    assert path.stem in sys.modules


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_what_is_written_out_needs_no_import(tmp_path: Path, name: str) -> None:
    """Where the text decides every value, a cached definition is taken without running the author's code."""
    path = tmp_path / f"written_{name}.py"
    path.write_text(WRITTEN_OUT[name])
    first = compiled(path)

    assert compiled(path) == first
    assert path.stem not in sys.modules


def test_a_value_of_another_module_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant may come through an import from a module that asks the environment."""
    (tmp_path / "taken_limits.py").write_text('import os\n\nLIMIT = int(os.environ["TAKEN_X"])\nFIXED = 3\n')
    asking, fixed = tmp_path / "taken_asking.py", tmp_path / "taken_fixed.py"
    asking.write_text(program(before="from taken_limits import LIMIT", value="LIMIT"))
    fixed.write_text(program(before="import taken_limits", value="taken_limits.FIXED"))
    found: list[bytes | None] = []
    for value in ("1", "2"):
        monkeypatch.setenv("TAKEN_X", value)
        found.append(compiled(asking, "taken_limits"))
    first = compiled(fixed, "taken_limits")

    assert found[0] != found[1]
    assert compiled(fixed, "taken_limits") == first
    assert "taken_limits" not in sys.modules


def test_a_step_that_yaml_names_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of a step, and a constant of `module:`, also where the workflow is YAML."""
    (tmp_path / "taken_steps.py").write_text(program(options='(timeout=timedelta(seconds=int(environ["TAKEN_X"])))'))
    path = tmp_path / "flow.yaml"
    path.write_text(
        "workflow_type: W\nworkflow_version: '1'\nmodule: taken_steps\ninitial_state_model: Order\n"
        "automate_next: true\nsteps:\n  - name: A\n    function: ship\n    inputs: {number: =state.number}\n"
    )
    found: list[bytes | None] = []
    for value in ("1", "2"):
        monkeypatch.setenv("TAKEN_X", value)
        found.append(compiled(path, "taken_steps"))

    assert found[0] != found[1]


def test_a_module_that_is_gone_takes_nothing() -> None:
    """A name of a module that is not loaded any more cannot be compared, and is not."""
    assert taken_from({("no_such_module", "LIMIT")}, ()) == ()


LOADED = program(before="LIMIT = 3", value="LIMIT")


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose text was read by the front end."""
    seen: list[str] = []

    def told(source: SourceText, *given: object, **options: object) -> object:
        seen.append(source.file)
        return lower_module(source, *given, **options)

    monkeypatch.setattr("ruvon_dsl.python.lower_module", told)
    return seen


def imported(folder: Path, name: str, text: str) -> ModuleType:
    """A module that is imported as applications do."""
    sys.path.insert(0, str(folder))
    (folder / f"{name}.py").write_text(text)
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def registered(module: ModuleType) -> CompiledWorkflow:
    """Its workflow, as a new process compiles what was imported."""
    forget()
    return require(compile_function(module.shipping))[0]


def test_an_imported_workflow_is_not_compiled_again(tmp_path: Path, lowered: list[str]) -> None:
    """A process that registers what another one has compiled does not read the text again."""
    module = imported(tmp_path, "loaded_again", LOADED)
    first, second = registered(module), registered(module)

    assert lowered == [module.__file__]
    assert (second.definition, second.digest, second.path) == (first.definition, first.digest, first.path)


def test_a_value_that_an_imported_module_was_given_is_compared(tmp_path: Path) -> None:
    """What the module holds counts, not what its file says: a constant, and a step of another module."""
    other = imported(tmp_path, "loaded_other", LOADED)
    module = imported(tmp_path, "loaded_given", LOADED)
    found = [registered(module).digest]
    module.LIMIT = 4
    found.append(registered(module).digest)
    module.ship = other.ship
    found.append(registered(module).digest)

    assert len(set(found)) == 3


def test_a_module_beside_an_imported_workflow_is_watched(tmp_path: Path) -> None:
    """A model that comes from another file is part of what is compared."""
    models = "from pydantic import BaseModel\n\n\nclass Order(BaseModel):\n    number: int = 0\n{more}"
    text = LOADED.replace(HEAD, HEAD.partition("class Order")[0] + "from loaded_models import Order\n\n\n")
    found: list[bytes | None] = []
    for more in ("", "    name: str = ''\n"):
        imported(tmp_path, "loaded_models", models.format(more=more))
        found.append(registered(imported(tmp_path, "loaded_beside", text)).digest)

    assert found[0] != found[1]


OF_A_LIBRARY = {
    "the-state": "from vendored import Order\n",
    "in-a-field": "from vendored import Order as Inner\n\n\nclass Order(BaseModel):\n    inner: Inner = Inner()\n    number: int = 0\n",
    "a-base": "from vendored import Order as Base\n\n\nclass Order(Base):\n    city: str = ''\n",
}


@pytest.mark.parametrize("models", OF_A_LIBRARY.values(), ids=OF_A_LIBRARY)
@pytest.mark.parametrize("as_file", [False, True])
def test_models_of_an_installed_library_are_compared(tmp_path: Path, models: str, as_file: bool) -> None:
    """One that is upgraded brings other fields; its files are not the author's, and they count all the same."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    library = "from pydantic import BaseModel\n\n\nclass Order(BaseModel):\n    number: int = 0\n{more}"
    text = LOADED.replace(HEAD, HEAD.partition("class Order")[0] + models + "\n\n")
    found: list[bytes | None] = []
    for more in ("", "", "    name: str = ''\n"):
        imported(installed, "vendored", library.format(more=more))
        module = imported(tmp_path, "loaded_vendored", text)
        found.append(compiled(tmp_path / "loaded_vendored.py") if as_file else registered(module).digest)

    assert found[0] == found[1] != found[2]


def test_a_text_that_the_file_does_not_hold_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lowered: list[str]
) -> None:
    """A file that was changed after it was imported vouches for nothing."""
    module = imported(tmp_path, "loaded_changed", LOADED)
    file = Path(str(module.__file__))
    monkeypatch.setattr("inspect.getsource", lambda of: LOADED)
    file.write_text(LOADED + "# changed\n")
    registered(module)
    registered(module)

    assert lowered == [str(file), str(file)]


def test_step_types_of_an_imported_workflow_come_with_it(tmp_path: Path) -> None:
    """Also where the definition is not compiled, the classes that its module holds can be registered."""
    types = "from ruvon import WorkflowStep\n\n\nclass Stamp(WorkflowStep):\n    type: str = 'STAMP'\n\n\n"
    module = imported(tmp_path, "loaded_types", LOADED.replace("LIMIT = 3", types + "LIMIT = 3"))
    found = [registered(module) for _ in range(2)]

    assert [dict(item.step_types) for item in found] == [{"STAMP": module.Stamp}] * 2


def test_the_fields_of_a_cached_definition_keep_their_order(tmp_path: Path) -> None:
    """Whoever asks people for them asks in the order of the model, whether it was compiled now or earlier."""
    text = LOADED.replace("    number: int = 0\n", "    number: int = 0\n    name: str = ''\n    amount: int = 0\n")
    module = imported(tmp_path, "loaded_order", text)
    found = [registered(module).definition for _ in range(2)]
    path = Path(str(module.__file__))
    compiled(path)
    forget()
    found.append(require(compile_file(path))[0].definition)

    schemas = [schema for item in found for schema in item.schemas.values() if "properties" in schema]
    assert [[*schema["properties"]] for schema in schemas] == [["number", "name", "amount"]] * 3
