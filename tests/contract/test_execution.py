"""The contract of executors on those that need no server (S2-042, S2-043, S4-032)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.postgres_executor import PostgresExecutor
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.execution.sync import SyncExecutionProvider
from ruvon.implementations.execution.thread_pool import ThreadPoolExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import TransportError
from ruvon.testing.contracts import BackgroundContract, ExecutionContract, builder_with
from tests.support.workers import working


class TestSync(ExecutionContract):
    """Everything inline."""

    @pytest.fixture
    def world_factory(self, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[WorkflowBuilder]]:
        """In memory."""
        return lambda: builder_with(SyncExecutionProvider())


class TestThreadPool(BackgroundContract):
    """Bodies in two threads."""

    @pytest.fixture
    def world_factory(self, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[WorkflowBuilder]]:
        """On a file."""
        return lambda: builder_with(
            ThreadPoolExecutionProvider(2), persistence_provider=SQLitePersistenceProvider(tmp_path / "db")
        )


class TestQueued(BackgroundContract):
    """A worker in the test's own process, over memory."""

    @pytest.fixture
    def world_factory(self, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[WorkflowBuilder]]:
        """In memory."""

        @asynccontextmanager
        async def opened() -> AsyncGenerator[WorkflowBuilder, None]:
            async with (
                builder_with(QueuedExecutionProvider()) as builder,
                working(builder, concurrency=2, poll=timedelta(seconds=1)),
            ):
                yield builder

        return opened


def test_the_postgres_executor_says_that_it_needs_postgres(tmp_path: Path) -> None:
    """At once, with what to use instead."""
    with pytest.raises(TransportError, match="QueuedExecutionProvider"):
        WorkflowBuilder(
            persistence_provider=SQLitePersistenceProvider(tmp_path / "db"), execution_provider=PostgresExecutor()
        )
