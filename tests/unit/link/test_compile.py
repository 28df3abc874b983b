"""The compile driver: files, texts, targets and workflow objects, and everything that can be wrong with them."""

import gc
import sys
from pathlib import Path

import pytest

from ruvon.ir import DefinitionError, ImportRoots
from ruvon_dsl import CompileResult, check_file, compile_file, compile_function, compile_source, compile_target, require

PROGRAM = """\
from pydantic import BaseModel

from ruvon import step, workflow


class Order(BaseModel):
    number: str


@step
async def ship(number: str) -> str:
    return number


@workflow("Shipping", version="1.0.0")
async def shipping(state: Order) -> str:
    return await ship(state.number)
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has its own cache folder and leaves `sys.path` as it was."""
    monkeypatch.setenv("RUVON_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])


def write(folder: Path, name: str, text: str) -> Path:
    """A file with its folders."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines(found: CompileResult) -> list[tuple[str, int | None]]:
    """Code and line of every finding."""
    return [(item.code, item.span.start.line if item.span else None) for item in found.diagnostics]


@pytest.mark.parametrize("program", sorted(Path("tests/programs").glob("w*.*")), ids=lambda path: path.name)
def test_programs_compile(program: Path) -> None:
    """The programs of the design compile without errors, and a second time to the same digests."""
    first, second = compile_file(program, cache=False), compile_file(program, cache=False)
    assert first.ok, first.diagnostics
    assert [item.digest for item in first.definitions] == [item.digest for item in second.definitions] != []


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    """Compiling stops the collector of cycles, and starts it again only where it ran."""
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        compile_file(write(tmp_path, "collected_x.py", "1 / 0\n"))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_file_beside_a_package(tmp_path: Path) -> None:
    """A file outside any package is imported by its stem."""
    (done,) = require(compile_file(write(tmp_path, "stem_alone_a.py", PROGRAM)))
    assert (done.path, done.definition.workflow_type) == ("stem_alone_a:shipping", "Shipping")
    assert list(done.definition.contracts) == ["stem_alone_a:ship"]


def test_file_inside_a_package(tmp_path: Path) -> None:
    """A file inside packages is imported by its dotted name, relative imports included."""
    write(tmp_path, "outer_b/__init__.py", "")
    write(tmp_path, "outer_b/inner/__init__.py", "")
    write(
        tmp_path,
        "outer_b/inner/steps.py",
        "from ruvon import step\n\n\n@step\nasync def other() -> None:\n    return None\n",
    )
    text = PROGRAM.replace("from ruvon import", "from .steps import other\nfrom ruvon import").replace(
        "    return await", "    await other()\n    return await"
    )
    (done,) = require(compile_file(write(tmp_path, "outer_b/inner/flow.py", text)))
    assert done.path == "outer_b.inner.flow:shipping"
    assert list(done.definition.contracts) == ["outer_b.inner.flow:ship", "outer_b.inner.steps:other"]


def test_changed_file_is_compiled_as_it_is_now(tmp_path: Path) -> None:
    """A file that changes between two compilations in one process is imported anew."""
    path = write(tmp_path, "changing_c.py", PROGRAM)
    (before,) = require(compile_file(path))
    path.write_text(PROGRAM.replace("number: str) -> str", "number: str, fast: bool = False) -> str"))
    (after,) = require(compile_file(path))
    assert [len(item.definition.contracts["changing_c:ship"].parameters) for item in (before, after)] == [1, 2]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """A module name that another file has taken is a finding that names that file."""
    require(compile_file(write(tmp_path / "one", "twice_d.py", PROGRAM)))
    result = compile_file(write(tmp_path / "two", "twice_d.py", PROGRAM))
    assert lines(result) == [("RV0356", 1)]
    assert str(tmp_path / "one") in result.diagnostics[0].message


def test_name_of_pythons_own_module(tmp_path: Path) -> None:
    """A file may not take the name of a standard module."""
    result = compile_file(write(tmp_path, "fractions.py", PROGRAM))
    assert lines(result) == [("RV0356", 1)]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("import nothing_of_that_name\n", "RV0356", 1),
        ("\nunknown_name\n", "RV0356", 2),
        ("\n\nraise SystemExit(3)\n", "RV0356", 3),
    ],
)
def test_mistakes_at_import_are_findings(tmp_path: Path, text: str, code: str, line: int) -> None:
    """What goes wrong while the module runs stands at the author's own line."""
    result = compile_file(write(tmp_path, f"broken_{code}_{line}.py", text + PROGRAM))
    assert (code, line) in lines(result)
    assert not result.ok


def test_text_that_is_no_python_is_said_once(tmp_path: Path) -> None:
    """A syntax error is the front end's finding, not also one of the import."""
    assert [code for code, _ in lines(compile_file(write(tmp_path, "syntax_x.py", "def broken(:\n" + PROGRAM)))] == [
        "RV0101"
    ]


def test_mistake_in_a_module_that_is_imported(tmp_path: Path) -> None:
    """An error further down the import is shown at the line that led there."""
    write(tmp_path, "helper_e.py", "1 / 0\n")
    result = compile_file(write(tmp_path, "importer_e.py", "import helper_e\n" + PROGRAM))
    assert lines(result) == [("RV0356", 1)]
    assert "ZeroDivisionError" in result.diagnostics[0].message


def test_mistake_of_a_decorator_keeps_its_code(tmp_path: Path) -> None:
    """A declaration error has its own code and the name of the file as it was given."""
    text = PROGRAM.replace("async def ship(number: str)", "async def ship(*numbers: str)")
    path = write(tmp_path, "declared_f.py", text)
    result = compile_file(path)
    assert not result.ok
    assert all(item.span is None or item.span.file == str(path) for item in result.diagnostics)
    assert not any(item.code == "RV0356" for item in result.diagnostics)


def test_all_findings_of_a_file_at_once(tmp_path: Path) -> None:
    """A failing import does not hide what the text alone shows."""
    text = "import nothing_of_that_name\n" + PROGRAM + "\n    del state\n"
    found = {item.code for item in compile_file(write(tmp_path, "both_g.py", text)).diagnostics}
    assert {"RV0356", "RV0104"} <= found


def test_file_that_is_not_there() -> None:
    """A missing file is a finding, not an exception."""
    assert lines(compile_file("no/such/file.py")) == [("RV0371", None)]


def test_file_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are a finding."""
    path = tmp_path / "bytes.py"
    path.write_bytes(b"\xff\xfe\x00")
    assert lines(compile_file(path)) == [("RV0371", None)]


def test_file_without_workflows(tmp_path: Path) -> None:
    """A module that defines none says so."""
    assert lines(compile_file(write(tmp_path, "empty_h.py", "VALUE = 1\n"))) == [("RV0371", 1)]


@pytest.mark.parametrize("name", ["shipping", "Shipping"])
def test_one_workflow_by_function_or_type(tmp_path: Path, name: str) -> None:
    """A workflow is chosen by either of its names."""
    second = PROGRAM.split("@workflow")[1].replace("Shipping", "Other").replace("shipping", "other")
    path = write(tmp_path, f"two_{name}_i.py", PROGRAM + "\n\n@workflow" + second)
    assert [item.definition.workflow_type for item in compile_file(path, workflow=name).definitions] == ["Shipping"]
    assert len(compile_file(path).definitions) == 2


def test_unknown_workflow_names_those_there_are(tmp_path: Path) -> None:
    """Asking for a workflow that is not there lists the others."""
    (found,) = compile_file(write(tmp_path, "asked_j.py", PROGRAM), workflow="nobody").diagnostics
    assert (found.code, "Shipping" in found.help) == ("RV0371", True)


def test_check_file_imports_nothing(tmp_path: Path) -> None:
    """A check for shape runs none of the author's code."""
    path = write(tmp_path, "untouched_k.py", "raise RuntimeError('imported')\n" + PROGRAM)
    result = check_file(path)
    assert (result.ok, [item.digest for item in result.definitions]) == (True, [None])
    assert "untouched_k" not in sys.modules


def test_text_under_a_module_name() -> None:
    """A generated text is registered under the name it is given, and may be replaced."""
    (first,) = require(compile_source(PROGRAM, module="generated_l"))
    (again,) = require(compile_source(PROGRAM, module="generated_l"))
    (other,) = require(compile_source(PROGRAM + "\nMORE = 1\n", module="generated_l"))
    assert first.path == "generated_l:shipping"
    assert first.digest == again.digest == other.digest


def test_text_may_not_take_a_real_module() -> None:
    """A text does not replace a module that a file made."""
    assert lines(compile_source(PROGRAM, module="ruvon.ir")) == [("RV0356", 1)]


def test_text_without_a_name_has_one_of_its_own() -> None:
    """The same text always gets the same name, so that its digest is the same."""
    one, other = require(compile_source(PROGRAM)), require(compile_source(PROGRAM))
    assert one[0].digest == other[0].digest


def test_workflow_object_compiles_from_its_module(tmp_path: Path) -> None:
    """What is imported already is compiled from its source, to the digest its file has."""
    path = write(tmp_path, "object_m.py", PROGRAM)
    (from_file,) = require(compile_file(path))
    (from_object,) = require(compile_function(sys.modules["object_m"].shipping))
    assert from_object.digest == from_file.digest


def test_compiling_what_is_no_workflow() -> None:
    """Anything else is a finding."""
    assert lines(compile_function(len)) == [("RV0371", None)]


def test_targets_of_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a file with a name, and a module with a name."""
    path = write(tmp_path, "target_n.py", PROGRAM)
    monkeypatch.chdir(tmp_path)
    targets = [str(path), f"{path}:shipping", "target_n:shipping", "target_n"]
    assert [len(require(compile_target(target))) for target in targets] == [1, 1, 1, 1]
    assert lines(compile_target("nothing_here_n:f")) == [("RV0371", None)]


def test_module_in_a_folder_without_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is named with its folder keeps that name, also where the folder is a namespace package."""
    write(tmp_path, "flows_y/inner_y.py", PROGRAM)
    monkeypatch.chdir(tmp_path)
    (done,) = require(compile_target("flows_y.inner_y:shipping"))
    assert done.path == "flows_y.inner_y:shipping"


def test_yaml_text_with_roots(tmp_path: Path) -> None:
    """A YAML text takes its functions from the roots it is given."""
    write(tmp_path, "steps_o.py", PROGRAM)
    text = (
        "workflow_type: Y\nautomate_next: true\nmodule: steps_o\ninitial_state_model: Order\n"
        "steps:\n  - {name: Ship, function: ship, inputs: {number: =state.number}, output: label}\n"
    )
    refused = compile_source(text, kind="yaml", file="flow.yaml")
    allowed = compile_source(text, kind="yaml", file="flow.yaml", roots=ImportRoots(folders=[tmp_path]))
    assert (refused.ok, allowed.ok) == (False, True), allowed.diagnostics
    assert allowed.definitions[0].definition.variables == {"label": "str"}


def test_require_raises_with_all_findings() -> None:
    """Callers that want an exception get one with every finding."""
    with pytest.raises(DefinitionError) as caught:
        require(compile_source("VALUE = 1\n"))
    assert [item.code for item in caught.value.diagnostics] == ["RV0371"]


# --- the cache --------------------------------------------------------------------------------------------------------


def entries(folder: Path) -> list[Path]:
    """The files of the cache."""
    return sorted((folder / "cache").rglob("*.json"))


def test_second_compilation_comes_from_the_cache(tmp_path: Path) -> None:
    """An unchanged file is neither compiled nor imported again, and gives the same."""
    path = write(tmp_path, "cached_p.py", PROGRAM)
    (first,) = require(compile_file(path))
    del sys.modules["cached_p"]
    forget()
    (second,) = require(compile_file(path))
    assert "cached_p" not in sys.modules
    assert (second.definition, second.digest, second.path, second.span) == (
        first.definition,
        first.digest,
        first.path,
        first.span,
    )
    assert second.definition.contracts == first.definition.contracts
    assert second.definition.schemas == first.definition.schemas


def test_warnings_are_kept(tmp_path: Path) -> None:
    """A cached result still warns."""
    text = (
        "workflow_type: W\nautomate_next: true\nsteps:\n  - {name: A, type: SLEEP, duration: 1h, next: END}\n"
        "  - {name: Lost, type: SLEEP, duration: 1h}\n"
    )
    path = write(tmp_path, "warned.yaml", text)
    first, second = compile_file(path), compile_file(path)
    assert lines(first) == lines(second) == [("RV0360", 5)]
    assert len(entries(tmp_path)) == 1


def test_changed_source_misses(tmp_path: Path) -> None:
    """Another text is another entry."""
    path = write(tmp_path, "edited_q.py", PROGRAM)
    require(compile_file(path))
    path.write_text(PROGRAM.replace("Shipping", "Sending"))
    assert compile_file(path).definitions[0].definition.workflow_type == "Sending"


def test_changed_import_misses(tmp_path: Path) -> None:
    """A constant of an imported module is part of what the entry was made of."""
    helper = write(tmp_path, "limits_r.py", "LIMIT = 1\n")
    text = PROGRAM.replace("from pydantic", "from limits_r import LIMIT\nfrom pydantic").replace(
        "ship(state.number)", "ship(f'{state.number}{LIMIT}')"
    )
    path = write(tmp_path, "limited_r.py", text)
    (first,) = require(compile_file(path))
    helper.write_text("LIMIT = 20\n")  # of another size: bytecode of the same second would be taken for it otherwise
    del sys.modules["limits_r"], sys.modules["limited_r"]
    (second,) = require(compile_file(path))
    assert first.digest != second.digest


def test_changed_variable_of_the_environment_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a YAML file takes from the environment is part of the key."""
    path = write(
        tmp_path,
        "env.yaml",
        "workflow_type: ${KIND_S}\nautomate_next: true\nsteps:\n  - {name: A, type: SLEEP, duration: 1h}\n",
    )
    found: list[str] = []
    for kind in ("One", "Two"):
        monkeypatch.setenv("KIND_S", kind)
        found.append(require(compile_file(path))[0].definition.workflow_type)
    assert found == ["One", "Two"]


def forget() -> None:
    """As in a new process: nothing is remembered but what is on disk."""
    from ruvon_dsl import _cache

    _cache.forget()


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"dependencies": [], "diagnostics": [], "workflows": [{}]}', "\x00"]
)
def test_damaged_entry_is_written_again(tmp_path: Path, damage: str) -> None:
    """An entry that cannot be read is as good as none."""
    path = write(tmp_path, "damaged_t.py", PROGRAM)
    (first,) = require(compile_file(path))
    (entry,) = entries(tmp_path)
    good = entry.read_bytes()
    entry.write_text(damage)
    forget()
    (second,) = require(compile_file(path))
    assert second.digest == first.digest
    assert entry.read_bytes() == good
    del sys.modules["damaged_t"]


def test_changed_definition_in_an_entry_is_refused(tmp_path: Path) -> None:
    """An entry that was changed after it was written counts for nothing."""
    path = write(tmp_path, "forged_u.py", PROGRAM)
    (first,) = require(compile_file(path))
    (entry,) = entries(tmp_path)
    entry.write_text(entry.read_text().replace('"saga":false', '"saga":true'))
    forget()
    (second,) = require(compile_file(path))
    assert (second.definition.saga, second.digest) == (False, first.digest)


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the cache everything still compiles."""
    monkeypatch.setenv("RUVON_CACHE_DIR", str(write(tmp_path, "a_file", "") / "below"))
    assert compile_file(write(tmp_path, "unwritten_v.py", PROGRAM)).ok


def test_errors_are_not_cached(tmp_path: Path) -> None:
    """Only a result without errors is kept."""
    compile_file(write(tmp_path, "wrong_w.py", PROGRAM.replace("ship(state.number)", "ship(1)")))
    assert entries(tmp_path) == []
