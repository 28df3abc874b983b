"""Prints what a workflow does, for the demonstrations: a plain class with the hooks it wants, no base class needed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import drawing
from ruvon.workflow import Workflow
from ruvon_dsl import compile_file, require

KINDS = {"human": "person", "signal": "message", "timer": "moment", "retry": "new attempt", "child": "child workflow"}
"""What an instance may wait for, in words."""


class Narrator:
    """An observer; Ruvon calls it after each commit, so that what it prints is already stored."""

    def __init__(self) -> None:
        self._children: dict[str, str] = {}

    async def on_child_workflow_started(self, child_id: str, child_type: str) -> None:
        self._children[child_id] = f"child {child_type}: "

    async def on_step_executed(self, step_name: str, duration_ms: float | None = None) -> None:
        took = f"{duration_ms:.1f} ms" if duration_ms is not None else ""
        print(f"   ■ {step_name:<18} {took}".rstrip())

    async def on_step_failed(self, step_name: str, error: BaseException, attempt: int) -> None:
        print(f"   ✖ {step_name}, attempt {attempt}: {type(error).__name__}: {error}")

    async def on_workflow_status_changed(self, workflow_id: str, old_status: str, new_status: str) -> None:
        if new_status != "ACTIVE":
            print(f"     {self._children.get(workflow_id, '')}{old_status} → {new_status}")

    async def on_compensation_completed(self, step_name: str, success: bool, is_empty: bool) -> None:
        done = "had nothing to undo" if is_empty else "undone"
        print(f"   ↺ {step_name} {done if success else 'could NOT be undone'}")


def heading(text: str) -> None:
    """A title with a line under it."""
    print(f"\n{text}\n{'─' * len(text)}")


def compare(python: Path, yaml: Path) -> None:
    """Compile both forms of a workflow, show that they are one graph, and draw it."""
    heading("1. One workflow in two forms, one graph")
    compiled = [require(compile_file(path))[0] for path in (python, yaml)]
    digests = [item.digest.hex() if item.digest else "-" for item in compiled]
    for path, digest in zip((python, yaml), digests, strict=True):
        print(f"   {path.name:<24} {digest}")
    if len(set(digests)) > 1:
        raise SystemExit("the two forms have come apart; compare them with `ruvon compile --format text`")
    print(f"\n{drawing.to_terminal(compiled[0].definition)}", end="")


async def open_builder(folder: Path, database: Path) -> WorkflowBuilder:
    """What a process does once at its start: name the workflows' folder, the store and who looks on."""
    database.parent.mkdir(parents=True, exist_ok=True)
    builder = WorkflowBuilder(
        folder,  # every workflow file in it is registered
        persistence_provider=SQLitePersistenceProvider(database),
        observers=[Narrator()],
        import_roots=["examples"],  # the package that the workflows take their steps and models from
    )
    await builder.initialize()
    return builder


def tell(workflow: Workflow) -> None:
    """Where a workflow stands: its result, its error, or what it waits for."""
    if workflow.status.value == "COMPLETED":
        print(f"   result: {workflow.result}")
    elif workflow.error is not None:
        print(f"   {workflow.status.value}, because of {type(workflow.error).__name__}: {workflow.error}")
    for wait in workflow.waiting_for:
        print(f"   waits for a {KINDS.get(wait['kind'], wait['kind'])} at the step `{wait['step']}`{_until(wait)}")
        _tell_task(wait.get("show") or {})


def _until(wait: Mapping[str, Any]) -> str:
    due_us = wait.get("due_us")
    return f", until {datetime.fromtimestamp(due_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC" if due_us is not None else ""


def _tell_task(task: Mapping[str, Any]) -> None:
    for name, value in task.items():
        inside = value.items() if isinstance(value, Mapping) else [("", value)]
        print(f"     {name}: " + ", ".join(f"{key}={_flat(item)}" if key else str(item) for key, item in inside))


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key}={item}" for key, item in value.items()) + ")"
    return str(value)


async def tell_where(builder: WorkflowBuilder, database: Path, last: Workflow, graph: str, count: int) -> None:
    """Where the data lies, and the commands that look at it."""
    heading("Where the data lies")
    rows = await builder.list_workflows(workflow_type=last.workflow_type, limit=count)
    for row in rows:
        print(f"   {row['workflow_id']}  {row['status']:<18} {row['workflow_type']}")
    print(f"\n   Every run is in the file {database}. Look at it with")
    print(f"     .venv/bin/ruvon list --db {database}")
    print(f"     .venv/bin/ruvon show {last.id} --logs --db {database}")
    print("   and draw the graph with")
    print(f"     .venv/bin/ruvon graph {graph} --format svg -o {Path(graph).stem}.svg")
