"""The contract of every executor: the documented methods, and workflows whose steps it runs (S2-033..S2-045, S4-033).

`ExecutionContract` holds for all. `BackgroundContract` adds what holds where a dispatched function runs beside its
caller.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.models import WorkflowStatus
from ruvon.providers import ExecutionContext, ExecutionProvider, InstanceFilter
from ruvon.testing.contracts import _flows as flows

__all__ = ["BackgroundContract", "ExecutionContract", "builder_with", "eventually"]

MODULE = "ruvon.testing.contracts._flows"
WORKFLOW = "7f000000-0000-4000-8000-000000000001"


World = AbstractAsyncContextManager[WorkflowBuilder]
Scene = Callable[[WorkflowBuilder], Awaitable[None]]
Play = Callable[[Scene], None]


class ExecutionContract:
    """What every executor does; a subclass named `Test...` runs it on a provider of its own.

    It needs one fixture, `world_factory`, in the class, its module or a conftest: a function without arguments that gives
    an async context manager of an open builder with the executor, as `builder_with` makes it. Where the executor needs
    workers, the fixture starts them; processes of their own need `RUVON_IMPORT_ROOTS=ruvon.testing.contracts`, because
    the suite's workflows and functions lie there.

    Example:
        >>> class TestMyExecutor(ExecutionContract):
        ...     @pytest.fixture
        ...     def world_factory(self):
        ...         return lambda: builder_with(MyExecutor())
    """

    @pytest.fixture
    def play(self, world_factory: Callable[[], World]) -> Play:
        """Runs a test in the executor's world."""

        def run(scene: Scene) -> None:
            async def whole() -> None:
                async with asyncio.timeout(240), world_factory() as builder:
                    await scene(builder)

            asyncio.run(whole())

        return run

    def test_a_dispatched_function_runs_and_is_done(self, play: Play) -> None:
        """Its id is known at once, its status later (S2-035, S2-040)."""

        async def scene(builder: WorkflowBuilder) -> None:
            execution = builder.execution
            for name in ("add", "add_async"):
                task = await execution.dispatch_async_task(WORKFLOW, "s", f"{MODULE}:{name}", {"n": 1}, {"more": 2})
                assert await status_of(execution, task, "done") == "done"
                assert (await builder.load_workflow(task)).result == {"sum": 3}

        play(scene)

    def test_a_dispatched_function_that_raises_has_failed(self, play: Play) -> None:
        """Its error can be read; a task that nobody dispatched is unknown (S2-040)."""

        async def scene(builder: WorkflowBuilder) -> None:
            execution = builder.execution
            task = await execution.dispatch_async_task(WORKFLOW, "s", f"{MODULE}:refuse", {})
            assert await status_of(execution, task, "failed") == "failed"
            assert str((await builder.load_workflow(task)).error) == "it cannot be done"
            assert await execution.get_task_status(WORKFLOW) == "unknown"
            assert await execution.get_task_status("nothing like a task") == "unknown"

        play(scene)

    def test_parallel_tasks_give_their_results_in_order(self, play: Play) -> None:
        """Three tasks, three results; the first error is raised as itself when all have ended (S2-036)."""

        async def scene(builder: WorkflowBuilder) -> None:
            tasks: list[dict[str, Any]] = [{"function": f"{MODULE}:add", "args": {"more": more}} for more in (5, 6)]
            tasks.append({"function": f"{MODULE}:nothing"})
            made = await builder.execution.dispatch_parallel_tasks(WORKFLOW, tasks, {"n": 1})
            assert made == [{"sum": 6}, {"sum": 7}, None]
            with pytest.raises(ValueError, match="it cannot be done"):
                await builder.execution.dispatch_parallel_tasks(WORKFLOW, [{"function": f"{MODULE}:refuse"}], {})

        play(scene)

    def test_the_execution_context_travels_to_where_the_body_runs(self, play: Play) -> None:
        """Trace, actor, workflow, step and attempt arrive; what is left out is told of the call (S2-033, S2-034)."""

        async def scene(builder: WorkflowBuilder) -> None:
            execution = builder.execution
            given = ExecutionContext("trace-1", "ann", WORKFLOW, "pay", 3)
            tell = f"{MODULE}:tell_context"
            task = await execution.dispatch_async_task(WORKFLOW, "s", tell, {}, execution_context=given)
            await status_of(execution, task, "done")
            assert (await builder.load_workflow(task)).result == {
                "trace_id": "trace-1", "actor_id": "ann", "workflow_id": WORKFLOW, "step_name": "pay", "attempt": 3,
            }  # fmt: skip
            bare = {"trace_id": None, "actor_id": None, "workflow_id": WORKFLOW, "step_name": "tell", "attempt": 1}
            tasks = [{"function": tell, "name": "tell"}]
            assert await execution.dispatch_parallel_tasks(WORKFLOW, tasks, {}) == [bare]

        play(scene)

    def test_a_sub_workflow_has_owner_region_and_parent(self, play: Play) -> None:
        """It runs to its end (S2-037)."""

        async def scene(builder: WorkflowBuilder) -> None:
            parent = await builder.create_workflow("ExecutionAsked")
            child = await builder.execution.dispatch_sub_workflow(
                parent.id, "ExecutionSum", {"total": 1}, owner_id="ann", data_region="eu"
            )
            run = await builder.load_workflow(child)
            await ended(run)
            record = await builder.persistence.load_instance(UUID(run.id))
            assert (run.parent_id, record.owner_id, record.data_region) == (parent.id, "ann", "eu")
            assert run.result == [8, 4, 9, 16]

        play(scene)

    @pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELLED"])
    def test_a_parent_leaves_its_wait_on_each_end_of_its_child(self, play: Play, end: str) -> None:
        """Success, failure and cancel reach it; telling it once more changes nothing (S2-038)."""

        async def scene(builder: WorkflowBuilder) -> None:
            parent = await builder.create_workflow("ExecutionParent")
            await parent.run()
            children = InstanceFilter(parent_id=UUID(parent.id))
            (row,) = await builder.persistence.find_instances(children, limit=2)
            child = await builder.load_workflow(row.workflow_id)
            assert not parent.status.is_terminal
            if end == "CANCELLED":
                await child.cancel("enough")
            else:
                await child.answer({"fine": end == "COMPLETED"})
            for _ in range(2):
                await builder.execution.report_child_status_to_parent(child.id, parent.id, end)
            await ended(parent)
            assert child.status is WorkflowStatus(end)
            assert (parent.status is WorkflowStatus.COMPLETED) == (end == "COMPLETED")

        play(scene)

    def test_a_step_function_is_called_and_its_result_is_a_dict(self, play: Play) -> None:
        """Sync and async; None becomes an empty dict (S2-039)."""

        async def scene(builder: WorkflowBuilder) -> None:
            call = builder.execution.execute_sync_step_function

            def plain(state: Any, context: Any, by: int = 1) -> dict[str, Any]:
                return {"made": state["n"] * by}

            async def waits(state: Any, context: Any) -> dict[str, Any]:
                await asyncio.sleep(0)
                return {"made": state["n"]}

            def silent(state: Any, context: Any) -> None: ...

            assert await call(plain, {"n": 2}, None, {"by": 3}) == {"made": 6}
            assert await call(waits, {"n": 2}, None) == {"made": 2}
            assert await call(silent, {}, None) == {}

        play(scene)

    def test_what_has_ended_cannot_be_cancelled(self, play: Play) -> None:
        """Nor what nobody knows (S2-041)."""

        async def scene(builder: WorkflowBuilder) -> None:
            execution = builder.execution
            task = await execution.dispatch_async_task(WORKFLOW, "s", f"{MODULE}:add", {"n": 1})
            await status_of(execution, task, "done")
            assert [await execution.cancel_task(name) for name in (task, WORKFLOW, "?")] == [False, False, False]
            assert await execution.get_task_status(task) == "done"

        play(scene)

    def test_a_function_that_is_not_there_is_told_to_the_caller(self, play: Play) -> None:
        """Before anything is stored."""

        async def scene(builder: WorkflowBuilder) -> None:
            before = await builder.list_workflows()
            with pytest.raises(Exception, match="absent"):
                await builder.execution.dispatch_async_task(WORKFLOW, "s", f"{MODULE}:absent", {})
            assert await builder.list_workflows() == before

        play(scene)

    def test_a_workflow_of_queued_steps_ends_the_same_everywhere(self, play: Play) -> None:
        """A sequence and branches, only the executor differs (S4-034, S4-007)."""

        async def scene(builder: WorkflowBuilder) -> None:
            runs = [await builder.create_workflow("ExecutionSum", {"total": n}) for n in range(3)]
            await asyncio.gather(*(run.run() for run in runs))
            for run in runs:
                await ended(run)
            assert [run.result for run in runs] == [[7 + n, 4, 9, 16] for n in range(3)]

        play(scene)

    def test_it_satisfies_the_protocol(self, play: Play) -> None:
        """Structurally."""

        async def scene(builder: WorkflowBuilder) -> None:
            assert isinstance(builder.execution, ExecutionProvider)

        play(scene)


class BackgroundContract(ExecutionContract):
    """What executors do that run dispatched functions beside their caller.

    The world of `world_factory` has to run two bodies at a time, no more and no fewer.
    """

    def test_two_functions_really_overlap(self, play: Play, tmp_path: Path) -> None:
        """Each lasts until the other one runs (S2-043)."""

        async def scene(builder: WorkflowBuilder) -> None:
            tasks = [
                {"function": f"{MODULE}:meet", "args": {"mine": mine, "other": other}} for mine, other in ("ab", "ba")
            ]
            made = await builder.execution.dispatch_parallel_tasks(WORKFLOW, tasks, {"folder": str(tmp_path)})
            assert made == ["a", "b"]

        play(scene)

    def test_pending_and_running_are_told_apart_and_what_is_pending_can_be_cancelled(
        self, play: Play, tmp_path: Path
    ) -> None:
        """A cancelled task never runs; a running one is not cancelled (S2-040, S2-041)."""

        async def scene(builder: WorkflowBuilder) -> None:
            execution = builder.execution

            async def dispatch(function: str, name: str) -> str:
                path, state = f"{MODULE}:{function}", {"folder": str(tmp_path)}
                return await execution.dispatch_async_task(WORKFLOW, "s", path, state, {"name": name})

            held = [await dispatch("hold", name) for name in "ab"]
            await eventually(lambda: all((tmp_path / name).exists() for name in "ab"))
            later = [await dispatch("mark", name) for name in ("kept", "dropped")]
            assert [await execution.get_task_status(task) for task in (*held, *later)] == [
                "running", "running", "pending", "pending",
            ]  # fmt: skip
            assert not await execution.cancel_task(held[0])
            assert await execution.cancel_task(later[1])
            assert not await execution.cancel_task(later[1])
            (tmp_path / "go").touch()
            for task in (*held, later[0]):
                assert await status_of(execution, task, "done") == "done"
            assert await execution.get_task_status(later[1]) == "cancelled"
            assert (tmp_path / "kept").exists()
            assert not (tmp_path / "dropped").exists()

        play(scene)


async def status_of(execution: ExecutionProvider, task: str, wanted: str) -> str:
    """The status once it is the wanted one, or another that is final."""
    final = {wanted, "done", "failed", "cancelled", "unknown"}
    while (found := await execution.get_task_status(task)) not in final:  # noqa: ASYNC110 - workers are other processes
        await asyncio.sleep(0.01)
    return found


async def ended(workflow: Any) -> None:
    """Until a workflow has ended, whoever drives it."""
    await workflow.refresh()
    while not workflow.status.is_terminal:
        await asyncio.sleep(0.01)
        await workflow.refresh()


async def eventually(there: Callable[[], bool]) -> None:
    """Until something is so."""
    async with asyncio.timeout(60):
        while not there():  # noqa: ASYNC110 - files of other processes
            await asyncio.sleep(0.01)


@asynccontextmanager
async def builder_with(execution: ExecutionProvider, **options: Any) -> AsyncGenerator[WorkflowBuilder, None]:
    """A builder with the workflows of the contract, open; it is closed at the end.

    Args:
        execution: the executor under test.
        options: what else the builder is given, such as `persistence_provider=`; by default it keeps everything in memory.

    Yields:
        The builder.
    """
    builder = WorkflowBuilder(
        execution_provider=execution, import_roots=["ruvon.testing.contracts"], plugins=False, **options
    )
    await builder.initialize()
    builder.register(flows.execution_sum, flows.execution_asked, flows.execution_parent, flows.execution_effects)
    try:
        yield builder
    finally:
        await builder.close()
