"""Registry files: what is checked about the files and packages they name."""

from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import DefinitionError, ImportRoots
from ruvon_dsl import check_file, compile_file, compile_source
from ruvon_dsl.yaml._registry_check import is_installed

ORDER = "workflow_type: Order\ninitial_state_model: shop.models:Order\nsteps: []\n"


def said(folder: Path, entries: str) -> list[tuple[str, str, str]]:
    """Code, severity and message of each finding about a registry in a folder with `order.yaml`."""
    (folder / "order.yaml").write_text(ORDER)
    (folder / "registry.yaml").write_text(f"workflows:\n{entries}")
    result = compile_file(folder / "registry.yaml")
    assert result.definitions == ()
    return [(item.code, item.severity.value, item.message) for item in result.diagnostics]


def test_a_sound_registry_says_nothing(tmp_path: Path) -> None:
    """A file that is there, of the type and state it is registered for, with packages that are installed."""
    entry = "type: Order, config_file: order.yaml, initial_state_model: shop.Order, requires: [pydantic, 'click>=8']"

    assert said(tmp_path, f"  - {{{entry}}}\n") == []
    assert check_file(tmp_path / "registry.yaml").diagnostics == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("type: Order, config_file: ordre.yaml", "`Order`: there is no file `ordre.yaml`"),
        ("type: Ordre, config_file: order.yaml", "`order.yaml` does not define `Ordre` but `Order`"),
        (
            "type: Order, config_file: order.yaml, initial_state_model: shop.Parcel",
            "the state of `Order` is `shop.models:Order`, not `shop.Parcel`",
        ),
    ],
)
def test_entries_that_do_not_match_their_file(tmp_path: Path, entry: str, message: str) -> None:
    """A missing file, another type and another state model are errors."""
    assert said(tmp_path, f"  - {{{entry}}}\n") == [("RV0841", "error", message)]


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    """A missing requirement is a warning: the workflow is offered elsewhere."""
    found = said(tmp_path, "  - {type: Order, config_file: order.yaml, requires: [no_such_package]}\n")

    assert found == [("RV0841", "warning", "`Order` needs `no_such_package`, which is not installed here")]


def test_a_type_that_is_registered_twice(tmp_path: Path) -> None:
    """Two entries of one type are reported at the second."""
    entry = "  - {type: Order, config_file: order.yaml}\n"

    assert said(tmp_path, entry * 2) == [("RV0816", "error", "`Order` is registered twice")]


def test_an_entry_that_is_not_offered_is_left_alone(tmp_path: Path) -> None:
    """`enabled: false` needs neither file nor packages."""
    assert said(tmp_path, "  - {type: X, config_file: x.yaml, requires: [no_such_package], enabled: false}\n") == []


@pytest.mark.parametrize("file", ["../secret.yaml", "sub/../../secret.yaml", "link.yaml", "{absolute}"])
def test_a_file_outside_of_the_registrys_folder(tmp_path: Path, file: str) -> None:
    """Neither `..` nor a link nor an absolute path leads out of the folder; the file is not read, nor registered."""
    secret, folder = tmp_path / "secret.yaml", tmp_path / "flows"
    secret.write_text(ORDER)
    folder.mkdir()
    (folder / "link.yaml").symlink_to(secret)
    name = file.format(absolute=secret)

    found = said(folder, f"  - {{type: Order, config_file: {name}}}\n")
    assert found == [("RV0841", "error", f"`Order`: `{name}` lies outside of the registry's folder")]
    (folder / "registry.yaml").rename(folder / "workflow_registry.yaml")
    with pytest.raises(DefinitionError, match="outside of the registry's folder"):
        WorkflowBuilder().register(folder)


def test_a_file_in_an_allowed_folder(tmp_path: Path) -> None:
    """Where the folder of the file is an import root, a registry may name it."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "order.yaml").write_text("workflow_type: Order\nsteps: []\n")
    (tmp_path / "flows" / "workflow_registry.yaml").write_text("workflows: [{type: Order, file: ../order.yaml}]\n")
    roots = ImportRoots(folders=[tmp_path])
    builder = WorkflowBuilder(import_roots=roots)
    builder.register(tmp_path / "flows")

    assert compile_file(tmp_path / "flows" / "workflow_registry.yaml", roots=roots).diagnostics == ()
    assert builder.registered_types() == ["Order"]


def test_a_registry_that_lists_itself(tmp_path: Path) -> None:
    """A registry inside a registry is read once."""
    assert said(tmp_path, "  - {type: Order, config_file: registry.yaml}\n") == []


def test_a_registry_is_seen_anew(tmp_path: Path) -> None:
    """What a registry says depends on other files, so no result of it is kept."""
    entry = "  - {type: Order, config_file: order.yaml}\n"
    assert said(tmp_path, entry) == []

    (tmp_path / "order.yaml").unlink()

    assert [item.code for item in compile_file(tmp_path / "registry.yaml").diagnostics] == ["RV0841"]


def test_a_registry_text() -> None:
    """A registry that no file holds is checked the same way, its files looked up from the working folder."""
    found = compile_source("workflows: [{type: X, config_file: no/where.yaml}]\n", kind="yaml").diagnostics

    assert [item.code for item in found] == ["RV0841"]


@pytest.mark.parametrize(
    ("requirement", "there"),
    [
        ("pydantic", True),
        ("PyYAML", True),
        ("pydantic-core", True),
        ("click[x]>=8,<9", True),
        ("nope_nope", False),
        ("", False),
    ],
)
def test_installed_packages(requirement: str, there: bool) -> None:
    """A package is known by the name of its import or of its distribution, whatever version is asked for."""
    assert is_installed(requirement) is there
