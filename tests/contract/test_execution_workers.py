"""The contract of executors with workers in processes of their own, over PostgreSQL (S2-044, S2-045, S4-007, S4-032).

`ruvon worker` for `PostgresExecutor`; a Celery worker, with Redis and with RabbitMQ, for `CeleryExecutionProvider`.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.celery import CeleryExecutionProvider
from ruvon.implementations.execution.postgres_executor import PostgresExecutor
from ruvon.testing.contracts import BackgroundContract, builder_with
from tests.support.brokers import needs_rabbitmq, rabbitmq, redis_broker
from tests.support.postgres import database, emptied, needs_postgres, store
from tests.support.processes import celery_worker, ruvon_worker

pytestmark = needs_postgres
BROKERS = {"redis": redis_broker, "rabbitmq": rabbitmq}


class TestPostgresExecutor(BackgroundContract):
    """Without a broker."""

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        emptied()
        with ruvon_worker(tmp_path_factory.mktemp("postgres"), database(), "--concurrency", "2"):
            yield

    @pytest.fixture
    def world_factory(self) -> Callable[[], AbstractAsyncContextManager[WorkflowBuilder]]:
        """A worker of two slots."""
        return lambda: builder_with(PostgresExecutor(), persistence_provider=store())


class _CeleryContract(BackgroundContract):
    broker: ClassVar[str]
    namespace: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _worker(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        emptied()
        cls.namespace = f"ruvon-test-{secrets.token_hex(4)}"
        with celery_worker(
            tmp_path_factory.mktemp("celery"), database(), BROKERS[cls.broker](), cls.namespace, "-c", "2"
        ):
            yield
        execution = CeleryExecutionProvider(BROKERS[cls.broker](), namespace=cls.namespace)
        with execution.app.connection_for_write() as connection:
            connection.default_channel.queue_delete(cls.namespace)

    @pytest.fixture
    def world_factory(self) -> Callable[[], AbstractAsyncContextManager[WorkflowBuilder]]:
        """A worker of two processes."""
        execution = CeleryExecutionProvider(BROKERS[self.broker](), namespace=self.namespace)
        return lambda: builder_with(execution, persistence_provider=store())


class TestCeleryWithRedis(_CeleryContract):
    """Celery's most common broker."""

    broker = "redis"


@needs_rabbitmq
class TestCeleryWithRabbitMQ(_CeleryContract):
    """The other one."""

    broker = "rabbitmq"
