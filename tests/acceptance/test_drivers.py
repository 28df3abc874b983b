"""Two processes that drive one run: one wins, and the other changes nothing."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import StaleWorkflowError
from tests.acceptance import fleet_flow
from tests.acceptance.test_kill import lines, wait_for
from tests.acceptance.test_resume_all import begin, made, status


def test_the_second_driver_is_refused_before_it_runs_anything(tmp_path: Path) -> None:
    """SEMANTICS 8.1: it gets `StaleWorkflowError`; row, log and effects are those of the first one alone."""
    (workflow_id,) = made(tmp_path, {"FleetLinger": 1})
    driver = begin(tmp_path, "resume", workflow_id, "--auto")
    assert wait_for(tmp_path / "ledger.txt", 2, driver)

    async def second() -> None:
        store = SQLitePersistenceProvider(tmp_path / "runs.db")
        builder = WorkflowBuilder(persistence_provider=store, plugins=False)
        await builder.initialize()
        builder.register(fleet_flow.fleet_linger)
        before = await store.load_instance(UUID(workflow_id))
        run = await builder.load_workflow(workflow_id)
        for drive in (run.run, run.next_step):
            with pytest.raises(StaleWorkflowError):
                await drive()
        assert await store.load_instance(UUID(workflow_id)) == before
        await builder.close()

    asyncio.run(second())
    assert len(lines(tmp_path / "ledger.txt")) == 2
    (tmp_path / "go").touch()
    driver.communicate(timeout=60)
    assert status(tmp_path, workflow_id) == "COMPLETED"
    assert len(lines(tmp_path / "ledger.txt")) == 2
