"""WASM steps in the engine, in both forms."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import ProgramError
from ruvon.implementations.wasm import WasmLimits, WasmtimeRuntime
from ruvon.models import WasmError
from ruvon.providers import MissingExtraError, ModuleRef
from tests.support import service_flows as flows
from tests.support.engine_world import JumpingClock
from tests.support.wasm_modules import ECHO, assemble, digest_of, saying

MODULES = {
    "echo": assemble(ECHO),
    "trap": assemble(saying("{}", "unreachable")),
    "odd": assemble(saying('{"amount": "many"}')),
    "spin": assemble('(module (memory (export "memory") 1) (func (export "execute") (loop $a (br $a))))'),
}


async def play(flow: Any, data: Mapping[str, Any] | None = None, *, runtime: Any = None, **options: Any) -> Any:
    """Run a workflow to its end."""
    builder = WorkflowBuilder(
        plugins=False,
        import_roots=["tests"],
        wasm_runtime=runtime or WasmtimeRuntime(modules=MODULES, limits=WasmLimits(fuel=2**62)),
        **options,
    )
    builder.register(flow)
    workflow = await builder.create_workflow(builder.registered_types()[0], data or {})
    await workflow.run()
    await builder.close()
    return workflow


def result_of(flow: Any, **data: Any) -> Any:
    """The result of a workflow that completes."""
    workflow = asyncio.run(play(flow, data))
    assert workflow.status == "COMPLETED", workflow.error
    return workflow.result


def test_state_fields_beside_the_data() -> None:
    """The module gets the data and the mapped fields; its answer is validated as the class of `into`."""
    assert result_of(flows.mapped) == flows.Echoed(amount=3, total="1.50")


def test_an_answer_without_a_class() -> None:
    """Without `into` the answer is a dict, bound and not merged."""
    assert result_of(flows.plain) == {"n": 1}


@pytest.mark.parametrize(("module", "fault"), [("trap", "trap"), ("echo", "fine"), ("gone", "hash")])
def test_a_body_catches_what_went_wrong(module: str, fault: str) -> None:
    """`WasmError` is caught as itself, with its fault."""
    assert result_of(flows.caught_module, module=module) == fault


@pytest.mark.parametrize("module", ["trap", "odd"])
def test_a_default_after_the_last_attempt(module: str) -> None:
    """A failure, or an answer that does not fit, is repeated; then the default is taken, and the log says why."""
    workflow = asyncio.run(play(flows.defaulted, {"module": module}, clock=JumpingClock()))
    assert workflow.result == flows.Echoed(amount=-1)
    log = asyncio.run(workflow.history())
    assert [entry["kind"] for entry in log if entry["step"] == "wasm"] == ["retry", "retry", "step"]
    note = next(entry["note"] for entry in log if entry["kind"] == "step")
    assert note.startswith("fallback: ")
    assert ("trapped" if module == "trap" else "amount") in note


def test_observers_hear_of_a_fallback() -> None:
    """A step that fell back has failed attempts, and was executed."""

    class Listener:
        """Keeps what it is told."""

        def __init__(self) -> None:
            self.heard: list[str] = []

        async def on_step_failed(self, step_name: str, attempt: int) -> None:
            """An attempt failed."""
            self.heard.append(f"{step_name} failed {attempt}")

        async def on_step_executed(self, step_name: str, result: object) -> None:
            """The step has a result."""
            self.heard.append(f"{step_name} gave {result}")

    listener = Listener()
    asyncio.run(play(flows.skipped_module, {"module": "trap"}, observers=[listener]))
    assert listener.heard == ["wasm failed 1", "wasm gave None"]


def test_skip_and_fail() -> None:
    """`skip` gives None, `fail` fails in spite of a default."""
    assert result_of(flows.skipped_module, module="trap") == "none"
    workflow = asyncio.run(play(flows.failing_module, {"module": "trap"}))
    assert workflow.status == "FAILED"


def test_a_timeout_stops_the_module() -> None:
    """The step's timeout raises `TimedOut`, and the module's thread is free again."""
    runtime = WasmtimeRuntime(modules=MODULES, limits=WasmLimits(fuel=2**62), threads=1)
    workflow = asyncio.run(play(flows.slow, {"module": "spin"}, runtime=runtime, clock=JumpingClock()))
    assert "did not end within 0:00:05" in workflow.result


def test_compensation_gets_result_and_arguments() -> None:
    """A module's step is undone like any other."""
    flows.UNDONE.clear()
    assert result_of(flows.undone) == "undone"
    assert flows.UNDONE == [({"n": 1}, "echo", {"n": 1})]


def test_modules_at_once() -> None:
    """A mapped `gather` of modules."""
    assert result_of(flows.many_modules) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_mapping_of_what_is_not_there(tmp_path: Path) -> None:
    """Input that cannot be made names its field."""

    class Recorder:
        """A runtime that is not asked."""

        async def run(self, module: ModuleRef, data: Mapping[str, object], /, *, entry: str | None = None) -> Any:
            raise AssertionError(data)

        async def close(self) -> None:
            """Nothing to stop."""

    text = """
workflow_type: Odd
steps:
  - name: check
    type: WASM
    module: echo
    state_mapping: {a: nothing.here}
    automate_next: true
"""
    workflow = asyncio.run(play_yaml(tmp_path, text, runtime=Recorder()))
    assert "`nothing.here`, which the state does not have" in str(workflow.error)


def play_yaml(folder: Path, text: str, data: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """Run a YAML workflow."""
    file = folder / "flow.yaml"
    file.write_text(text)
    return play(file, data, **options)


def yaml_flow(module: str, more: str = "") -> str:
    """A YAML workflow with one WASM step, in the documented words."""
    return f"""
workflow_type: Check
initial_state_model: tests.support.service_flows:Order
steps:
  - name: check
    type: WASM
    wasm_hash: {module}
    entrypoint: execute
    input_data: {{amount: "=state.amount", total: "x"}}
    output_key: seen
    automate_next: true
{more}"""


def test_yaml_by_digest(tmp_path: Path) -> None:
    """The documented keys of YAML run, with a module of the folder."""
    pin = digest_of(ECHO).removeprefix("sha256:")
    (tmp_path / f"{pin}.wasm").write_bytes(MODULES["echo"])
    workflow = asyncio.run(play_yaml(tmp_path, yaml_flow(pin), runtime=WasmtimeRuntime(tmp_path)))
    assert workflow.status == "COMPLETED", workflow.error
    assert workflow.state.seen == {"amount": 3, "total": "x"}


def test_yaml_with_a_default(tmp_path: Path) -> None:
    """`fallback_on_error: default` takes `default_result`."""
    more = "    fallback_on_error: default\n    default_result: {amount: 0}\n    timeout_ms: 500\n"
    workflow = asyncio.run(play_yaml(tmp_path, yaml_flow("trap", more)))
    assert workflow.state.seen == {"amount": 0}


def test_a_module_that_cannot_be_is_refused_early(tmp_path: Path) -> None:
    """A definition that names no module is refused before anything runs."""
    with pytest.raises(ProgramError, match="names no module"):
        asyncio.run(play_yaml(tmp_path, yaml_flow("sha256:12")))


def test_a_missing_package_is_no_failure_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fallback hides that wasmtime is not installed."""
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    workflow = asyncio.run(play(flows.skipped_module))
    assert workflow.status == "FAILED"
    assert isinstance(workflow.error, MissingExtraError)


def test_errors_are_rebuilt_with_their_words() -> None:
    """A recorded `WasmError` keeps what a handler asks for."""
    workflow = asyncio.run(play(flows.failing_module, {"module": "trap"}))
    assert isinstance(workflow.error, WasmError)
    assert (workflow.error.fault, workflow.error.module) == ("trap", "trap")
