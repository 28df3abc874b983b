"""A database file full of instances in every kind of place, kept to prove that later versions read it.

python -m tests.support.saved_database FILE
"""

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import Transition
from tests.support import saved_flows as flows
from tests.support.engine_world import CountedIds, Crash, JumpingClock

__all__ = ["finish", "open_database"]

PLACES = (
    ("workflow_definitions", "text"),
    ("workflow_executions", "position"),
    ("workflow_executions", "error"),
    ("workflow_audit_log", "error"),
    ("workflow_audit_log", "delta"),
    ("workflow_audit_log", "position"),
)


async def open_database(path: Path) -> WorkflowBuilder:
    """A builder on the file, with the saved workflows and a clock that jumps."""
    clock = JumpingClock()
    store = SQLitePersistenceProvider(path, clock=clock)
    builder = WorkflowBuilder(
        persistence_provider=store, clock=clock, ids=CountedIds(), plugins=False, import_roots=["tests"]
    )
    await builder.initialize()
    builder.register(*flows.WORKFLOWS)
    return builder


async def make(path: Path) -> None:
    """Write a new file: waits, loops, a fork, a rollback in its middle, a child, timers, ends, messages."""
    builder = await open_database(path)
    started = {}
    for name in ("Approval", "Loop", "Long", "Fork", "Parent", "Failure", "Success"):
        started[name] = await builder.create_workflow(f"Saved{name}", {}, owner_id="saver", metadata={"made": "once"})
        await started[name].run()
    for key in ("z", "a"):
        await started["Loop"].signal(flows.Word(text=f"word {key}"), key=key)
    await started["Fork"].signal(flows.Word(text="one"), key="left")
    asleep = await builder.create_workflow("SavedSleeper", {}, idempotency_key="the sleeper")
    await asleep.next_step()
    await asleep.signal(flows.Word(text="early"), dedup="once")
    await break_off(builder)
    store: Any = builder.persistence
    await store.log_execution(asleep.id, "count", "INFO", "asleep", {"a": 1})
    await store.record_metric(asleep.id, "count", "duration_ms", 1.5)
    await store.heartbeat_update(asleep.id, "worker", "count")
    await store.set_edge_sync_state("cursor", "17")
    await builder.schedules.add("nightly", "SavedSuccess", cron="0 3 * * *", org_id="saver")
    await store.save_workflow("own document", {"status": "NEW", "state": {"a": [1]}})
    await builder.close()
    forget_folder(path)


def forget_folder(path: Path) -> None:
    """Make the places of sources in the file relative, so that it does not tell where it was made."""
    folder = f"{Path.cwd()}/"
    connection = sqlite3.connect(path, isolation_level=None)
    for table, column in PLACES:
        connection.execute(
            f"UPDATE {table} SET {column} = CAST(replace(CAST({column} AS TEXT), ?, '') AS BLOB)"  # noqa: S608  # PLACES
            f" WHERE {column} IS NOT NULL",
            (folder,),
        )
    connection.execute("VACUUM")
    connection.close()
    Path(f"{path}.lock").unlink(missing_ok=True)


async def break_off(builder: WorkflowBuilder) -> None:
    """A trip whose process dies after it has undone the first of three reservations."""
    store: Any = builder.persistence
    workflow = await builder.create_workflow("SavedTrip", {})
    commit = store.commit

    async def until_undone(transition: Transition, /) -> None:
        await commit(transition)
        if any(entry.kind == "compensate" for entry in transition.entries):
            raise Crash

    store.commit = until_undone
    try:
        await workflow.run()
    except Crash:
        store.commit = commit


async def finish(builder: WorkflowBuilder) -> dict[str, tuple[str, object, list[str]]]:
    """Give every instance what it waits for, and drive it to its end: status, result and tags by type."""
    waiting = {item["workflow_type"]: await builder.load_workflow(item["workflow_id"]) for item in await _all(builder)}
    await waiting["SavedApproval"].answer({"approved": True, "reason": "fine"})
    await waiting["SavedLoop"].signal(flows.Word(text="word m"), key="m")
    await waiting["SavedLong"].signal(flows.Word(text="on"))
    await waiting["SavedFork"].signal(flows.Word(text="two"), key="right")
    await waiting["SavedChild"].signal(flows.Word(text="four"))
    for workflow in waiting.values():
        await workflow.refresh()
        if not workflow.status.is_terminal:
            await workflow.run()
    return {
        name: (workflow.status.value, workflow.result, list(workflow.state.tags))
        for name, workflow in sorted(waiting.items())
    }


async def _all(builder: WorkflowBuilder) -> list[dict[str, Any]]:
    found = await builder.list_workflows(limit=100)
    return [item for item in found if item["workflow_version"] is not None]


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
