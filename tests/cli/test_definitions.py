"""compile, validate, convert, graph, explain, schema."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import FLOWS, ORDER, ROOT, Command
from tests.support.golden import GOLDEN

EXAMPLES = ROOT / "examples" / "order_processing"
BROKEN = "workflow_type: Broken\nsteps:\n  - {name: a, function: nothing.here}\n"


@pytest.mark.parametrize("form", ["json", "text", "yaml", "python"])
def test_compile_prints_each_form(ruvon: Command, form: str) -> None:
    """Every form of the compiled graph names the workflow."""
    done = ruvon("compile", ORDER, "--format", form)

    assert done.code == 0
    assert "OrderProcessing" in done.out


def test_both_forms_and_every_spelling_of_a_target_have_one_digest(ruvon: Command) -> None:
    """Python file, YAML file, module:function and the compiled file give the same digest."""
    ruvon("compile", ORDER, "-o", "order.json")
    targets = [ORDER, str(EXAMPLES / "workflow.py"), str(EXAMPLES / "order_processing.yaml"), "order.json"]

    assert len({ruvon("compile", target, "--digest").out for target in targets}) == 1


def test_a_type_in_the_workflow_folder_is_a_target(ruvon: Command, place: Path) -> None:
    """The type of a workflow in the workflow folder is enough."""
    (place / "workflows").mkdir()
    (place / "workflows" / "order.yaml").write_text((EXAMPLES / "order_processing.yaml").read_text())

    assert ruvon("compile", "OrderProcessing", "--digest").out == ruvon("compile", ORDER, "--digest").out


def test_a_misspelt_type_gets_a_suggestion(ruvon: Command, place: Path) -> None:
    """An unknown type ends with code 4 and the nearest known one."""
    (place / "workflows").mkdir()
    (place / "workflows" / "order.yaml").write_text((EXAMPLES / "order_processing.yaml").read_text())

    done = ruvon("compile", "OrderProcesing")

    assert done.code == 4
    assert "did you mean `OrderProcessing`?" in done.err


def test_one_of_several_must_be_chosen(ruvon: Command) -> None:
    """A file with several workflows needs --workflow; an unknown choice is not found."""
    assert ruvon("compile", str(FLOWS)).code == 2
    assert ruvon("compile", str(FLOWS), "--workflow", "Timer", "--digest").code == 0
    assert ruvon("compile", str(FLOWS), "--workflow", "Nope").code == 4


def test_a_file_with_mistakes_fails_with_findings(ruvon: Command, place: Path) -> None:
    """Findings go to standard error with code 1; nothing is written."""
    (place / "broken.yaml").write_text(BROKEN)

    done = ruvon("compile", "broken.yaml", "-o", "out.json")

    assert done.code == 1
    assert "RV" in done.err
    assert not (place / "out.json").exists()


def test_validate_a_folder(ruvon: Command) -> None:
    """S3-055: a folder is checked whole, and a sound one ends with 0."""
    done = ruvon("validate", str(EXAMPLES), "--strict")

    assert done.code == 0
    assert "sound" in done.out


def test_validate_leaves_other_files_out(ruvon: Command, place: Path) -> None:
    """In a folder, a registry is checked too, and YAML of other tools is left alone."""
    (place / "flows").mkdir()
    (place / "flows" / "order.yaml").write_text((EXAMPLES / "order_processing.yaml").read_text())
    (place / "flows" / "workflow_registry.yaml").write_text(
        "workflows:\n  - {type: OrderProcessing, config_file: order.yaml}\n"
    )
    (place / "flows" / "compose.yaml").write_text("services: {}\n")

    done = ruvon("validate", "flows")

    assert done.code == 0, done.text
    assert "1 workflow in 2 files:" in done.out


def test_validate_checks_the_registry(ruvon: Command, place: Path) -> None:
    """A registry in the folder is held against its files and the installed packages."""
    (place / "flows").mkdir()
    (place / "flows" / "order.yaml").write_text((EXAMPLES / "order_processing.yaml").read_text())
    (place / "flows" / "registry.yaml").write_text(
        "workflows:\n"
        "  - {type: OrderProcessing, config_file: order.yaml, requires: [no_such_package]}\n"
        "  - {type: OrderProcessing, config_file: order.yaml}\n"
        "  - {type: Refund, config_file: refund.yaml}\n"
    )

    done = ruvon("validate", "flows", "--json")

    assert done.code == 1
    assert [(item["code"], item["severity"]) for item in done.json] == [
        ("RV0841", "warning"),
        ("RV0816", "error"),
        ("RV0841", "error"),
    ]


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_validate_findings_for_machines(ruvon: Command, place: Path, form: str) -> None:
    """Findings come as one JSON text, with the code of failure."""
    (place / "broken.yaml").write_text(BROKEN)

    done = ruvon("validate", "broken.yaml", "--format", form)

    assert done.code == 1
    assert done.json


def test_validate_findings_for_github(ruvon: Command, place: Path) -> None:
    """Findings come as workflow commands."""
    (place / "broken.yaml").write_text(BROKEN)

    assert ruvon("validate", "broken.yaml", "--format", "github").out.startswith("::error")


def test_validate_without_imports(ruvon: Command, place: Path) -> None:
    """--no-import checks the text of a file whose code cannot be imported."""
    (place / "lonely.py").write_text((EXAMPLES / "workflow.py").read_text().replace("examples.", "gone."))

    assert ruvon("validate", "lonely.py", "--no-import").code == 0
    assert ruvon("validate", "lonely.py").code == 1


def test_validate_draws_without_running(ruvon: Command) -> None:
    """S3-019: the structure is drawn as Mermaid without running anything."""
    done = ruvon("validate", str(EXAMPLES / "workflow.py"), "--graph", "mermaid")

    assert "flowchart" in done.out


@pytest.mark.parametrize("form", ["mermaid", "dot", "text", "svg"])
def test_graph(ruvon: Command, form: str) -> None:
    """Every drawing shows the steps."""
    done = ruvon("graph", ORDER, "--format", form)

    assert done.code == 0
    assert "charge" in done.out


@pytest.mark.parametrize(("form", "name"), [("python", "order.py"), ("yaml", "order.yaml")])
def test_convert_keeps_the_digest(ruvon: Command, form: str, name: str) -> None:
    """Either form converts to the other, and what comes out has the same digest."""
    source = EXAMPLES / ("order_processing.yaml" if form == "python" else "workflow.py")

    assert ruvon("convert", str(source), "--to", form, "-o", f"converted_{name}").code == 0
    assert ruvon("compile", f"converted_{name}", "--digest").out == ruvon("compile", ORDER, "--digest").out


DECLARED = """
from datetime import timedelta

from ruvon import Retry, step, workflow


@step(timeout=timedelta(seconds=7), retry=Retry(max_attempts=3))
async def ask() -> int:
    return 1


@workflow("Asks")
async def asks(state: dict) -> int:
    return await ask()
"""


def test_convert_says_the_module_once_and_no_option_twice(ruvon: Command, place: Path) -> None:
    """What a step's declaration states is not written again, and the result is the same definition."""
    (place / "asking.py").write_text(DECLARED)

    done = ruvon("convert", "asking.py", "--to", "yaml", "-o", "asks.yaml")
    assert done.code == 0, done.text
    text = (place / "asks.yaml").read_text()

    assert "module: asking\n" in text
    assert not {"uses:", "timeout:", "retry:"} & set(text.split())
    assert ruvon("compile", "asks.yaml", "--digest").out == ruvon("compile", "asking.py", "--digest").out


def test_convert_from_the_cache_says_the_same(shell: Command, place: Path) -> None:
    """A definition that is taken from the disk was made without loading its code."""
    (place / "asking.py").write_text(DECLARED)
    first, second = (shell("convert", "asking.py", "--to", "yaml").out for _ in range(2))

    assert first == second
    assert "module: asking\n" in first


@pytest.mark.parametrize(("kind", "target"), [("yaml", []), ("ir", []), ("state", [ORDER])])
def test_schema(ruvon: Command, kind: str, target: list[str]) -> None:
    """S3-027: the JSON Schemas of YAML files, the graph and a workflow's state are there for editors."""
    assert {"properties", "$defs", "anyOf", "oneOf"} & set(json.loads(ruvon("schema", kind, *target).out))


def test_explain_a_code(ruvon: Command) -> None:
    """A code is explained with the smallest example; unknown ones are not found."""
    assert "RV0371" in ruvon("explain", "rv0371").out
    assert ruvon("explain", "RV0371", "--json").json["code"] == "RV0371"
    assert ruvon("explain", "RV9999").code == 4


def test_explain_lists_codes(ruvon: Command) -> None:
    """Without a code all are listed, in both forms."""
    listed = ruvon("explain", "--json").json

    assert {"code", "title"} == set(listed[0])
    assert len(ruvon("explain").out.splitlines()) == len(listed)


def test_the_drawing_for_people(ruvon: Command, golden: Callable[[Path, str], None]) -> None:
    """The text drawing of the order workflow is what the golden file shows."""
    golden(GOLDEN / "cli" / "graph.txt", ruvon("graph", ORDER).out)


def test_portable_names_what_belongs_to_one_machine(ruvon: Command, tmp_path: Path) -> None:
    """A warning with its page; without the option nothing is said."""
    flow = tmp_path / "shop.py"
    flow.write_text(
        "from pydantic import BaseModel\nfrom ruvon import step, workflow\n\n\nclass Doc(BaseModel):\n    n: int = 0\n\n\n"
        '@step\ndef load(state: Doc) -> None:\n    open("prices.csv").close()\n\n\n'
        '@workflow("Portable")\nasync def flow(state: Doc) -> None:\n    await load(state)\n'
    )
    plain, portable = ruvon("validate", str(flow)), ruvon("validate", str(flow), "--portable")
    assert "RV0377" not in plain.out
    assert "warning[RV0377]: `load` uses the file 'prices.csv'" in portable.out
    assert portable.code == 0
    assert ruvon("validate", str(flow), "--portable", "--strict").code == 1
    assert ruvon("validate", str(flow), "--portable", "--no-import").code == 2
