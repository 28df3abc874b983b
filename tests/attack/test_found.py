"""Defects that attacks on the project found; each test fails without its mending."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import BaseModel

from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine
from ruvon.models import RecordedError, WorkflowStatus
from ruvon.providers import TemplateError
from ruvon_dsl import compile_file

HEAD = """from pydantic import BaseModel
from ruvon import step, workflow


class S(BaseModel):
    n: int = 0


@step
async def a(state: S) -> None: ...


"""


class Odd(BaseModel):
    kind: str


class Touchy(Exception):
    """An error that refuses to be asked for anything."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


def _cycle() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def _chain() -> Exception:
    error = ValueError("0")
    for number in range(1, 3000):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    return error


ERRORS = {
    "group": lambda: ExceptionGroup("several", [ValueError(1), KeyError("x")]),
    "touchy": lambda: Touchy("hands off"),
    "surrogate": lambda: ValueError("\ud800 is no text"),
    "cycle": _cycle,
    "chain": _chain,
}


@step
async def misbehave(state: Odd) -> object:
    """Raises the error of this name, or returns a list that is nested a hundred thousand times."""
    if state.kind in ERRORS:
        make = ERRORS[state.kind]
        raise make()
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@workflow("FoundOdd")
async def odd(state: Odd) -> object:
    return await misbehave(state)


@workflow("FoundCaught")
async def caught(state: Odd) -> object:
    try:
        return await misbehave(state)
    except Exception as err:  # noqa: BLE001 - catching everything is what is tested
        return str(err)


async def _run(kind: str, name: str) -> tuple[WorkflowStatus, object, Exception | None]:
    builder = WorkflowBuilder()
    builder.register(odd, caught)
    run = await builder.create_workflow(name, {"kind": kind})
    await run.run()
    again = await builder.load_workflow(run.id)
    return again.status, again.result, again.error


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_every_error_of_a_step_is_recorded(kind: str) -> None:
    """An error that cannot be stored as it is ends the run as FAILED, not the drive with another error."""
    status, _, error = asyncio.run(_run(kind, "FoundOdd"))

    assert status is WorkflowStatus.FAILED
    assert isinstance(error, Exception)


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_every_error_of_a_step_can_be_caught(kind: str) -> None:
    """A handler gets its text, whatever the error is."""
    status, result, error = asyncio.run(_run(kind, "FoundCaught"))

    assert (status, error) == (WorkflowStatus.COMPLETED, None)
    assert result


def test_a_group_whose_errors_are_not_values_is_stood_for() -> None:
    """An ExceptionGroup cannot be made without its errors, so `RecordedError` carries its text."""
    _, _, error = asyncio.run(_run("group", "FoundOdd"))

    assert isinstance(error, RecordedError)
    assert "several" in str(error)


def test_a_result_nested_too_deep_is_refused_soon() -> None:
    """The search for what cannot be stored ends, and its sentence is short."""
    began = time.monotonic()
    status, _, error = asyncio.run(_run("deep", "FoundOdd"))

    assert status is WorkflowStatus.FAILED
    assert "nested deeper than 250 levels" in str(error)
    assert len(str(error)) < 300
    assert time.monotonic() - began < 30


def _codes(folder: Path, body: str, head: str = HEAD) -> set[str]:
    file = folder / "found_flow.py"
    file.write_text(f"{head}@workflow('W')\nasync def w(state: S) -> None:\n{body}", encoding="utf-8")
    sys.modules.pop("found_flow", None)
    return {item.code for item in compile_file(file, cache=False).diagnostics}


@pytest.mark.parametrize(
    "line",
    ["state.n = " + " + ".join(["1"] * 5000), "state.n = " + "-" * 3000 + "1", "x = state" + ".n" * 3000],
    ids=["sum", "signs", "path"],
)
def test_endless_expressions_are_findings(tmp_path: Path, line: str) -> None:
    """A chain too long for a recursive parser is RV0102, soon, and never a traceback."""
    assert "RV0102" in _codes(tmp_path, f"    {line}\n    await a(state)\n")


def test_a_long_text_is_a_finding_soon(tmp_path: Path) -> None:
    """A text of two million letters takes no quadratic search."""
    assert _codes(tmp_path, f"    x = '{'a' * 2_000_000}'\n    await a(state)\n") == {"RV0211"}


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Python takes a file that begins with one, so it compiles."""
    assert _codes(tmp_path, "    await a(state)\n", "\ufeff" + HEAD) == set()


def test_an_annotation_that_is_no_expression_is_a_finding(tmp_path: Path) -> None:
    """A quoted annotation with a syntax error does not end the compiler."""
    file = tmp_path / "found_annotation.py"
    file.write_text(
        f"{HEAD}@workflow('W')\nasync def w(state: 'S[') -> 'also(':\n    await a(state)\n", encoding="utf-8"
    )

    assert not compile_file(file, cache=False).ok


@pytest.mark.parametrize(
    "template",
    [
        "{{ '%0999999999d' % 1 }}",
        "{{ 'a'|center(10**10) }}",
        "{{ 'a\nb'|indent(width=10**10) }}",
        "{{ 'a'.ljust(10**10) }}",
    ],
)
def test_widths_in_templates_are_bounded(template: str) -> None:
    """A template cannot take all memory with one width (law 7)."""
    with pytest.raises(TemplateError):
        Jinja2TemplateEngine().render(template, {})


RUVON = [sys.executable, "-c", "from ruvon.cli import main; main()"]


def test_output_into_a_pipe_leaves_the_pipe_a_pipe(tmp_path: Path) -> None:
    """`-o` writes into devices and pipes; it replaces files only."""
    flow, pipe = tmp_path / "found_piped.py", tmp_path / "pipe"
    flow.write_text(f"{HEAD}@workflow('W')\nasync def w(state: S) -> None:\n    await a(state)\n", encoding="utf-8")
    os.mkfifo(pipe)
    with subprocess.Popen([*RUVON, "convert", str(flow), "--to", "yaml", "-o", str(pipe)], cwd=tmp_path) as writer:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert writer.wait(timeout=60) == 0
            text = os.read(reader, 100_000).decode()
        finally:
            os.close(reader)

    assert pipe.is_fifo()
    assert "workflow_type: W" in text


def test_output_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    """`-o` to a symbolic link writes the file that it names."""
    flow, real, link = tmp_path / "found_linked.py", tmp_path / "real.yaml", tmp_path / "link.yaml"
    flow.write_text(f"{HEAD}@workflow('W')\nasync def w(state: S) -> None:\n    await a(state)\n", encoding="utf-8")
    real.write_text("old")
    link.symlink_to(real)
    subprocess.run(
        [*RUVON, "convert", str(flow), "--to", "yaml", "-o", str(link)], cwd=tmp_path, check=True, timeout=60
    )

    assert link.is_symlink()
    assert "workflow_type: W" in real.read_text()


def test_data_nested_too_deep_is_a_sentence(tmp_path: Path) -> None:
    """A YAML file that no parser can read ends the command with exit code 2."""
    (tmp_path / "deep.yaml").write_text("n: " + "[" * 5000)
    (tmp_path / "found_deep.py").write_text(
        f"{HEAD}@workflow('W')\nasync def w(state: S) -> None:\n    await a(state)\n", encoding="utf-8"
    )
    command = [*RUVON, "run", "found_deep.py", "--data-file", "deep.yaml", "--db", "memory"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    assert "nested too deep" in done.stderr


def test_a_closed_standard_output_is_no_traceback(tmp_path: Path) -> None:
    """`ruvon db init && ruvon list >&-` prints nothing and ends well."""
    subprocess.run([*RUVON, "db", "init", "--db", "x.db"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    script = '"$0" -c "from ruvon.cli import main; main()" list --db x.db >&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )

    assert "Traceback" not in done.stderr
