"""Documented statements about the engine that no other test says in so many words."""

import asyncio
import importlib
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import WorkflowFinishedError
from ruvon.implementations.execution.sync import SyncExecutionProvider
from ruvon.implementations.expression_evaluator.simple import SimpleExpressionEvaluator
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine
from ruvon.models import WorkflowStatus
from ruvon.providers import TemplateError
from tests.features import versioned
from tests.features.versioned import Loan
from tests.support.engine_world import make_builder

ROOT = Path(__file__).parents[2]
MONDAY = """
workflow_type: LoanApproval
workflow_version: "1"
module: tests.features.versioned
initial_state_model: Loan
automate_next: true
steps:
  - {name: Collect, function: collect}
  - {name: Manual_Approval, type: HUMAN_IN_LOOP, form: Approval, output: approval}
  - {name: Pay_Out, function: pay_out}
"""
TUESDAY = MONDAY.replace('"1"', '"2"').replace(
    "  - {name: Manual_Approval, type: HUMAN_IN_LOOP, form: Approval, output: approval}\n", ""
)


def deployed(folder: Path, text: str) -> WorkflowBuilder:
    """A process that was started with this definition in its folder."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "loan.yaml").write_text(text)
    return WorkflowBuilder(
        config_dir=folder / "config",
        persistence_provider=SQLitePersistenceProvider(folder / "runs.db", durability="OFF"),
        execution_provider=SyncExecutionProvider(),
        plugins=False,
        import_roots=["tests"],
    )


def test_a_builder_lists_the_types_of_its_folder(tmp_path: Path) -> None:
    """S1-051, S5-004: `config_dir=` and both providers are given to the constructor."""
    assert deployed(tmp_path, MONDAY).registered_types() == ["LoanApproval"]


def test_two_versions_live_side_by_side(tmp_path: Path) -> None:
    """S3-028, S3-029, S3-030, S3-031: runs of Monday end on Monday's steps, also those that stand at one that Tuesday has removed."""

    async def scenario() -> list[Any]:
        monday = deployed(tmp_path, MONDAY)
        await monday.initialize()
        old = [await monday.create_workflow("LoanApproval", Loan(number=number)) for number in range(20)]
        for run in old:
            await run.run()
        await monday.close()

        tuesday = deployed(tmp_path, TUESDAY)
        await tuesday.initialize()
        fresh = await tuesday.create_workflow("LoanApproval", Loan(number=99))
        await fresh.run()
        ended = [await tuesday.load_workflow(run.id) for run in old]
        for run in ended:
            assert run.status is WorkflowStatus.WAITING_HUMAN
            await run.answer({"granted": True})
        steps = [
            [item["step"] for item in await run.history() if item["kind"] in {"step", "wait"}]
            for run in (fresh, ended[0])
        ]
        snapshot = ended[0].definition_snapshot
        await tuesday.close()
        assert {run.status.value for run in (fresh, *ended)} == {"COMPLETED"}
        assert "Manual_Approval" in str(snapshot)
        return steps

    assert asyncio.run(scenario()) == [["Collect", "Pay_Out"], ["Collect", "Manual_Approval", "Pay_Out"]]


def test_a_definition_is_stored_once_for_all_its_runs(tmp_path: Path) -> None:
    """S3-032: a run keeps the digest of its definition, not a copy of 5 to 10 KB."""

    async def scenario() -> None:
        builder = deployed(tmp_path, MONDAY)
        await builder.initialize()
        for number in range(50):
            await (await builder.create_workflow("LoanApproval", Loan(number=number))).run()
        await builder.close()

    asyncio.run(scenario())
    connection = sqlite3.connect(tmp_path / "runs.db")
    (kept,) = connection.execute("SELECT count(*) FROM workflow_definitions").fetchone()
    connection.close()
    assert kept == 1


def test_the_life_cycle_and_what_is_illegal_in_it() -> None:
    """S4-023: create, start, pause, resume, cancel; what has ended is not driven on and not cancelled."""
    builder = make_builder()
    builder.register(versioned.approved)

    async def scenario() -> list[str]:
        seen: list[str] = []
        run = await builder.create_workflow("Approved", Loan())
        seen.append(run.status.value)
        await run.run()
        seen.append(run.status.value)
        await run.answer({"granted": True})
        seen.append(run.status.value)
        with pytest.raises(WorkflowFinishedError):
            await run.next_step({})
        other = await builder.create_workflow("Approved", Loan())
        await other.run()
        await other.cancel("not wanted")
        seen.append(other.status.value)
        with pytest.raises(WorkflowFinishedError):
            await other.cancel("again")
        return seen

    assert asyncio.run(scenario()) == ["ACTIVE", "WAITING_HUMAN", "COMPLETED", "CANCELLED"]


@pytest.mark.parametrize(("amount", "expected"), [(10_001, True), (10_000, False)])
def test_the_evaluator_gives_a_bool(amount: int, expected: bool) -> None:
    """S2-069, S2-070: the documented condition, exactly True or False."""
    found = SimpleExpressionEvaluator().evaluate("state.amount > 10000", {"state": {"amount": amount}})

    assert found is expected


def test_the_greeting_of_the_document() -> None:
    """S2-073, S2-074."""
    text = Jinja2TemplateEngine().render("Hello {{ state.user_name }}!", {"state": {"user_name": "Alice"}})

    assert text == "Hello Alice!"


@pytest.mark.parametrize(
    "probe",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ state.__class__ }}",
        "{% include '/etc/passwd' %}",
        "{{ (state|attr('__class__')) }}",
    ],
)
def test_templates_do_not_get_out(probe: str) -> None:
    """S2-076: the sandbox refuses, or gives nothing."""
    with suppress(TemplateError):
        text = Jinja2TemplateEngine().render(probe, {"state": {"a": 1}})
        assert not any(word in text for word in ("class", "root:", "uid=", "<module"))


@pytest.mark.parametrize(
    "path",
    [
        "ruvon.workflow:Workflow",
        "ruvon.builder:WorkflowBuilder",
        "ruvon.models:StepContext",
        "ruvon.models:WorkflowStep",
        "ruvon.models:WorkflowPauseDirective",
        "ruvon.providers.persistence:PersistenceProvider",
        "ruvon.providers.execution:ExecutionProvider",
        "ruvon.providers.observer:WorkflowObserver",
        "ruvon.providers.expression_evaluator:ExpressionEvaluator",
        "ruvon.providers.template_engine:TemplateEngine",
        "ruvon.implementations.persistence.sqlite:SQLitePersistenceProvider",
        "ruvon.implementations.execution.sync:SyncExecutor",
    ],
)
def test_documented_import_paths_work(path: str) -> None:
    """S4-022: what documents import is there."""
    module, _, name = path.partition(":")

    assert getattr(importlib.import_module(module), name)


def test_the_device_example_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S5-005: SQLite with the file's name alone, and steps in this process."""
    monkeypatch.chdir(tmp_path)

    async def scenario() -> str:
        builder = WorkflowBuilder(
            persistence_provider=SQLitePersistenceProvider("device.db"),
            execution_provider=SyncExecutionProvider(),
            plugins=False,
            import_roots=["tests"],
        )
        builder.register(versioned.counted)
        await builder.initialize()
        run = await builder.create_workflow("Counted", {"number": 4})
        await run.run()
        await builder.close()
        return f"{run.status.value} {run.state.number}"

    assert asyncio.run(scenario()) == "COMPLETED 5"
    assert Path("device.db").is_file()


def test_the_layers_hold() -> None:
    """S4-001, S4-016, S4-028: a layer imports only what lies below it, and the engine no driver, broker or web framework."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main(['--no-cache'])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "The engine knows no driver, broker, web framework or compiler KEPT" in done.stdout, done.stderr
    assert "BROKEN" not in done.stdout
    assert done.returncode == 0


def test_one_definition_runs_on_every_store_that_there_is(tmp_path: Path) -> None:
    """S5-007: the same definition in memory and on a file gives the same state and the same steps."""

    async def one(store: Any) -> tuple[Any, list[str]]:
        builder = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["tests"])
        builder.register(versioned.counted)
        await builder.initialize()
        run = await builder.create_workflow("Counted", {"number": 1})
        await run.run()
        steps = [item["step"] for item in await run.history()]
        await builder.close()
        return run.state.number, steps

    async def both() -> list[Any]:
        return [
            await one(store)
            for store in (MemoryPersistenceProvider(), SQLitePersistenceProvider(tmp_path / "x.db", durability="OFF"))
        ]

    found = asyncio.run(both())
    assert found[0] == found[1]
